/**
 * ggml's tensor types by name. The numbers are `enum ggml_type` of the pinned ggml; block and byte sizes are
 * checked against the loaded library when it is opened.
 */
export interface TypeFacts {
  id: number;
  /** Elements in one block; rows are whole blocks. */
  block: number;
  /** Bytes of one block. */
  bytes: number;
}

export const dtypes = {
  f32: { id: 0, block: 1, bytes: 4 },
  f16: { id: 1, block: 1, bytes: 2 },
  q4_0: { id: 2, block: 32, bytes: 18 },
  q8_0: { id: 8, block: 32, bytes: 34 },
  q4_k: { id: 12, block: 256, bytes: 144 },
  q5_k: { id: 13, block: 256, bytes: 176 },
  q6_k: { id: 14, block: 256, bytes: 210 },
  iq4_nl: { id: 20, block: 32, bytes: 18 },
  i8: { id: 24, block: 1, bytes: 1 },
  i32: { id: 26, block: 1, bytes: 4 },
  i64: { id: 27, block: 1, bytes: 8 },
  bf16: { id: 30, block: 1, bytes: 2 },
} as const satisfies Record<string, TypeFacts>;

export type DType = keyof typeof dtypes;

export const dtypeNames = Object.keys(dtypes).filter((name): name is DType => name in dtypes);

/** The type with this `enum ggml_type` number, or undefined for one that this engine does not use. */
export function dtypeOfId(id: number): DType | undefined {
  return dtypeNames.find((name) => dtypes[name].id === id);
}

/** Bytes of one row of `length` elements, which must be whole blocks. */
export function rowBytes(type: DType, length: number): number {
  const { block, bytes } = dtypes[type];
  return (length / block) * bytes;
}

/** Source types of quantization. */
export type FloatType = 'f32' | 'f16' | 'bf16';
/** Target types of `quantize`. */
export type TargetType = 'bf16' | 'q4_0' | 'iq4_nl' | 'q4_k' | 'q5_k' | 'q6_k' | 'q8_0';

export function isFloat(type: DType): type is FloatType {
  return type === 'f32' || type === 'f16' || type === 'bf16';
}

export function isTarget(type: DType): type is TargetType {
  return type === 'bf16' || dtypes[type].block > 1;
}
