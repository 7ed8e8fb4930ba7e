import { type DType, dtypes, isFloat, rowBytes, type TargetType } from '../ggml/dtype.ts';
import type { TensorEntry } from './types.ts';

/** The target types of `convert`; without one, tensors keep their stored types. */
export const presetNames = ['int4', 'int8', 'bf16'] as const;
export type PresetName = (typeof presetNames)[number];

/** Fallback types for rows that are not whole blocks of the preset's type. */
const fallbacks: Partial<Record<TargetType, TargetType>> = { q4_k: 'iq4_nl', q5_k: 'q8_0', q6_k: 'q8_0' };

export interface PlannedTensor {
  entry: TensorEntry;
  type: DType;
  sizeBytes: number;
  /** The preset's type, if the tensor's rows do not fit it. */
  insteadOf?: TargetType;
}

/** The type of every tensor in a preset. A pure function of names, shapes and stored types. */
export function planTypes(entries: Iterable<TensorEntry>, preset: PresetName | undefined): PlannedTensor[] {
  return Array.from(entries, (entry) => {
    const wanted = preset && isFloat(entry.type) ? wantedType(entry, preset) : undefined;
    const type = wanted ? fittingType(wanted, entry) : entry.type;
    const rows = entry.shape.slice(0, -1).reduce((product, axis) => product * axis, 1);
    const sizeBytes = rows * rowBytes(type, entry.shape.at(-1) ?? 1);
    return { entry, type, sizeBytes, ...(wanted && type !== wanted && { insteadOf: wanted }) };
  });
}

/**
 * Only matrices of products are quantized. Norms, biases, position and class embeddings are small and become f32 when they are
 * loaded. The two convolution kernels (four axes) are rearranged when they are loaded, which would split the blocks of a
 * quantized type.
 */
function wantedType({ name, shape }: TensorEntry, preset: PresetName): TargetType | undefined {
  const [rows = 0] = shape;
  if (shape.length !== 2 || rows < 2 || name.endsWith('position_embedding.weight')) return undefined;
  if (preset === 'bf16') return 'bf16';
  if (preset === 'int8') return 'q8_0';
  if (moreBits.test(name)) return 'q6_k';
  return everyToken.test(name) ? 'iq4_nl' : 'q4_k';
}

/** Small tensors with a large effect: every answer's logits, and every image token. */
const moreBits = /^lm_head\.|^model\.vision\.linear_proj\./;

/**
 * The weights that are read for every token of an answer. q4_K is a little more exact, but packed IQ4_NL is batch-invariant:
 * a row has the same bits in every batch. See `KeptWeights`.
 */
const everyToken = /\.language_(expert_|mlp\.)/;

function fittingType(wanted: TargetType, { type, shape }: TensorEntry): DType {
  const columns = shape.at(-1) ?? 0;
  for (let fits: TargetType | undefined = wanted; fits; fits = fallbacks[fits])
    if (columns % dtypes[fits].block === 0) return fits;
  return type;
}
