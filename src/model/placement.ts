import type { Place } from '../ggml/engine.ts';
import { type PartName, type PartSizes, partOf } from './parts.ts';

/** How many layers of each part, counted from the first, are on the GPU. */
export type Placement = Readonly<Record<PartName, number>>;

/** Memory that is on the same device as a part's layers. */
export interface Companions {
  /** Keys and values of one decoder layer, with its language expert. */
  cacheBytes: number;
  /** Scratch and activations of the tower, and of the decoder, when any layer of them is there. */
  towerScratchBytes: number;
  decoderScratchBytes: number;
}

/**
 * The order in which a GPU is filled: by arithmetic per byte. An image costs the tower a hundred times what a prompt costs the
 * decoder, and every token of an answer reads the language experts. Embeddings are looked up and not multiplied, so they
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

export function placeOf(placement: Placement, tensorName: string): Place {
  const { part, layer } = partOf(tensorName);
  return layer < placement[part] ? 'gpu' : 'cpu';
}
