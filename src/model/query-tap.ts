/** Hands out the queries of one row in some layers while it is run. The attention to any cached key follows from them. */
export interface QueryTap {
  readonly layers: readonly number[];
  /** @param queries f32 [heads, headSize], after the rotary embedding */
  onQueries(layer: number, queries: Float32Array): void;
}

/** Which rows of a graph have their queries handed out, and in which layers. */
export interface TappedRows {
  readonly layers: readonly number[];
  readonly first: number;
  readonly count: number;
}

export const queriesName = (layer: number) => `queries.${layer}`;
