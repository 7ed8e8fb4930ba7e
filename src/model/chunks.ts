/** Which weights a row meets. */
export type Expert = 'language' | 'vision';

/** Rows of the prompt that go through the decoder together: one expert, embeddings from text ids or image rows. */
export interface Chunk {
  expert: Expert;
  pieces: ({ ids: Int32Array } | { imageRow: number; count: number })[];
  positions: Int32Array;
}

/** A prompt as token types (1 for image tokens), with each row's expert and position. */
export interface PromptRows {
  ids: Int32Array;
  tokenTypes: Uint8Array;
  positions: Int32Array;
  /** 1 where the row meets the vision expert. */
  visionRows: Uint8Array;
}

/**
 * Splits the rows from `start` on into chunks of at most `size` rows. A chunk never mixes experts: a causal
 * decoder with a KV cache gives the same numbers for one chunk as for many, and a chunk of one expert needs only
 * that expert's weights.
 */
export function planChunks(prompt: PromptRows, start: number, size: number): Chunk[] {
  const { ids, tokenTypes, positions, visionRows } = prompt;
  const chunks: Chunk[] = [];
  let from = start;
  // eoi is an image token that meets the language expert, so image rows are counted by type, not by expert.
  let imageRow = tokenTypes.subarray(0, start).reduce((sum, type) => sum + type, 0);
  while (from < ids.length) {
    let to = from + 1;
    while (to < ids.length && to - from < size && visionRows[to] === visionRows[from]) to++;
    const pieces: Chunk['pieces'] = [];
    for (let i = from; i < to; ) {
      let end = i + 1;
      while (end < to && tokenTypes[end] === tokenTypes[i]) end++;
      if (tokenTypes[i] === 1) {
        pieces.push({ imageRow, count: end - i });
        imageRow += end - i;
      } else {
        pieces.push({ ids: ids.slice(i, end) });
      }
      i = end;
    }
    chunks.push({
      expert: visionRows[from] === 1 ? 'vision' : 'language',
      pieces,
      positions: positions.slice(from, to),
    });
    from = to;
  }
  return chunks;
}
