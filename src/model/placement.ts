import type { Place } from '../ggml/engine.ts';
import { type PartName, type PartSizes, partOf } from './parts.ts';

/** How many layers of each part, from the first on, are on the GPU. */
export type Placement = Readonly<Record<PartName, number>>;

/** What goes along with a part's layers to where they are. */
export interface Companions {
  /** Keys and values of one decoder layer, with its language expert. */
  cacheBytes: number;
  /** Scratch and activations of the tower, and of the decoder, when any layer of them is there. */
  towerScratchBytes: number;
  decoderScratchBytes: number;
}

/**
 * The order in which a GPU is filled: by arithmetic per byte. A picture costs the tower a hundred times what a prompt
 * costs the decoder, and every answer's token reads the language experts. Embeddings are looked up, not multiplied, and
 * stay with the CPU.
 */
const order = ['tower', 'adapter', 'lm_head', 'language experts', 'vision experts'] as const;

/** As many layers on the GPU as fit into `roomBytes`; nothing is split below a layer. */
export function placeParts(sizes: PartSizes, companions: Companions, roomBytes: number): Placement {
  const placed: Record<PartName, number> = { ...nothingOnGpu };
  let room = roomBytes;
  const taken = new Set<number>();
  for (const part of order) {
    for (const layerBytes of sizes[part]) {
      const scratch = part === 'tower' ? companions.towerScratchBytes : companions.decoderScratchBytes;
      // The two scratch memories are one: the larger counts.
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
