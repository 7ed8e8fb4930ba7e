import type { TensorEntry } from '../checkpoint/types.ts';
import type { Processor } from '../ggml/engine.ts';
import type { Tensor } from '../ggml/tensor.ts';

/** The parts of the model, in the order of the data. Each is placed on a device, and evicted from memory, separately. */
export const partNames = [
  'tower',
  'adapter',
  'embeddings',
  'vision experts',
  'language experts',
  'lm_head',
] as const;
export type PartName = (typeof partNames)[number];

/** The part and the layer that a tensor belongs to, by its published name. */
export function partOf(tensorName: string): { part: PartName; layer: number } {
  const [, scope = '', layer] = /^(model\.vision\.transformer|model)\.layers\.(\d+)\./.exec(tensorName) ?? [];
  if (scope === 'model.vision.transformer') return { part: 'tower', layer: Number(layer) };
  if (scope === 'model') {
    const isVision = /\.vision_(expert|mlp)/.test(tensorName);
    return { part: isVision ? 'vision experts' : 'language experts', layer: Number(layer) };
  }
  if (tensorName.startsWith('model.vision.patch_embedding.')) return { part: 'tower', layer: 0 };
  if (tensorName.startsWith('model.vision.')) return { part: 'adapter', layer: 0 };
  return { part: tensorName.startsWith('model.embed_tokens.') ? 'embeddings' : 'lm_head', layer: 0 };
}

function forEachPart<T>(make: () => T): Record<PartName, T> {
  return {
    tower: make(),
    adapter: make(),
    embeddings: make(),
    'vision experts': make(),
    'language experts': make(),
    lm_head: make(),
  };
}

/** Bytes of each part's layers. */
export type PartSizes = Readonly<Record<PartName, readonly number[]>>;

/** As stored, or (`isFloat32`) with every number in four bytes. */
export function measureParts(tensors: Iterable<TensorEntry>, options: { isFloat32: boolean }): PartSizes {
  const sizes: Record<PartName, number[]> = forEachPart(() => []);
  for (const { name, shape, sizeBytes } of tensors) {
    const { part, layer } = partOf(name);
    const bytes = options.isFloat32 ? shape.reduce((product, axis) => product * axis, 4) : sizeBytes;
    sizes[part][layer] = (sizes[part][layer] ?? 0) + bytes;
  }
  return sizes;
}

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The matrices of each part's layers. */
export type PartMatrices = Readonly<Record<PartName, Tensor[][]>>;

/** Groups matrices by their names. */
export function matricesByPart(matrices: Iterable<readonly [string, Tensor]>): PartMatrices {
  const grouped: Record<PartName, Tensor[][]> = forEachPart(() => []);
  for (const [name, tensor] of matrices) {
    const { part, layer } = partOf(name);
    const layers = grouped[part];
    while (layers.length <= layer) layers.push([]);
    layers[layer]?.push(tensor);
  }
  return grouped;
}

/** How many layers of each part, counted from the first, are on the GPU. */
export type Placement = Readonly<Record<PartName, number>>;

/** Memory that must be on the same device as a part's layers. */
export interface Companions {
  /** Keys and values of one decoder layer, with its language expert. */
  cacheBytes: number;
  /** Scratch and activations of the tower, and of the decoder, if any of their layers is there. */
  towerScratchBytes: number;
  decoderScratchBytes: number;
}

/**
 * The order in which a GPU is filled: by arithmetic per byte. An image costs the tower a hundred times as much as a prompt
 * costs the decoder, and every token of an answer reads the language experts. Embeddings are only looked up, so they
 * stay on the CPU.
 */
const order = ['tower', 'adapter', 'lm_head', 'language experts', 'vision experts'] as const;

/** Places as many whole layers on the GPU as fit into `roomBytes`. */
export function placeParts(sizes: PartSizes, companions: Companions, roomBytes: number): Placement {
  const placed: Record<PartName, number> = { ...nothingOnGpu };
  let room = roomBytes;
  const taken = new Set<number>();
  for (const part of order) {
    for (const layerBytes of sizes[part]) {
      const scratch = part === 'tower' ? companions.towerScratchBytes : companions.decoderScratchBytes;
      // Tower and decoder share one scratch memory, so the larger one counts.
      const scratchMore = Math.max(scratch, ...taken) - Math.max(0, ...taken);
      const needed = layerBytes + scratchMore + (part === 'language experts' ? companions.cacheBytes : 0);
      if (needed > room) break;
      room -= needed;
      taken.add(scratch);
      placed[part]++;
    }
  }
  return placed;
}

export const nothingOnGpu: Placement = {
  tower: 0,
  adapter: 0,
  embeddings: 0,
  'vision experts': 0,
  'language experts': 0,
  lm_head: 0,
};

export function processorOf(placement: Placement, tensorName: string): Processor {
  const { part, layer } = partOf(tensorName);
  return layer < placement[part] ? 'gpu' : 'cpu';
}
