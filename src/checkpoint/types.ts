/** A model on disk, in either format, without its weights. */
import type { DType } from '../ggml/dtype.ts';
import type { Packed } from './unpack.ts';

/** The position of a tensor on disk. For a packed tensor, type, shape and size are those after unpacking. */
export interface TensorEntry {
  name: string;
  type: DType;
  /** PyTorch's order: rows first, the last axis is the fastest. */
  shape: readonly number[];
  file: string;
  /** From the beginning of the file. */
  offsetBytes: number;
  sizeBytes: number;
  /** The stored form, if it is not of `type`; see `readTensorBytes`. */
  packed?: Packed;
  /** Computes f32 elements, for a tensor that is computed instead of stored. */
  computed?: (start: number, count: number) => Float32Array;
}

/** The stored type of a tensor, such as "bf16" or "nf4", and its bytes on disk. */
export function onDisk({ type, sizeBytes, packed }: TensorEntry): { type: string; sizeBytes: number } {
  return packed ? { type: packed.quantType, sizeBytes: packed.sizeBytes } : { type, sizeBytes };
}

/** Whether any weight is packed by bitsandbytes, so that it must be unpacked into allocated memory. */
export function isPacked({ tensors }: Checkpoint): boolean {
  return [...tensors.values()].some(({ packed }) => packed !== undefined);
}

/** A model on disk: its texts, and the positions of its tensors. */
export interface Checkpoint {
  /** The folder, or the .gguf file. */
  path: string;
  name: string;
  format: 'safetensors' | 'gguf';
  /** The contents of the published JSON files. Only config.json is required. */
  texts: CheckpointTexts;
  tensors: ReadonlyMap<string, TensorEntry>;
}

export interface CheckpointTexts {
  'config.json': string;
  'generation_config.json'?: string;
  'tokenizer.json'?: string;
  'tokenizer_config.json'?: string;
}

/** The texts of a checkpoint. Both formats use the same names. */
export const textNames = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
] as const;

/** Members of the model family; `src/model/config.ts` has their differences. */
export type ModelFamily = 'CogVLM 1' | 'CogVLM2' | 'CogVLM2-Video';

/** Whether a model takes videos. An image is then a video of one frame. */
export function takesVideo({ family }: { readonly family: ModelFamily }): boolean {
  return family === 'CogVLM2-Video';
}
