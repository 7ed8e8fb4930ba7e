import type { TensorEntry } from '../checkpoint/types.ts';
import type { Expert } from './chunks.ts';
import { type ModelConfig, towerRows } from './config.ts';
import { measureParts, type PartName, sumOf } from './parts.ts';

/**
 * The work of a stage. With a machine's measured peaks it gives a lower bound of the stage's time. A multiplication and an
 * addition are two operations. Norms, activations and sums are left out: they are less than 1%.
 */
export interface Cost {
  /** Products with weights. */
  linearFlop: number;
  /** Queries times keys, and probabilities times values; with a causal mask, only the keys that a row sees. */
  attentionFlop: number;
  /** Weights that are read once, in their stored types. */
  weightBytes: number;
  /** Keys and values that are read, in float16. */
  cacheBytes: number;
}

/** Stored bytes of each part. */
export type PartBytes = Readonly<Record<PartName, number>>;

/** Sums a checkpoint's tensors by part. */
export function partBytes(tensors: Iterable<TensorEntry>): PartBytes {
  const sizes = measureParts(tensors, { isFloat32: false });
  return {
    tower: sumOf(sizes.tower),
    adapter: sumOf(sizes.adapter),
    embeddings: sumOf(sizes.embeddings),
    'vision experts': sumOf(sizes['vision experts']),
    'language experts': sumOf(sizes['language experts']),
    lm_head: sumOf(sizes.lm_head),
  };
}

/** One image through the patch embedding and `layers` layers of the tower. */
export function towerCost({ vision }: ModelConfig, bytes: PartBytes, layers = vision.layers): Cost {
  const { hiddenSize: d, intermediateSize, patchSize } = vision;
  const rows = towerRows(vision);
  const layer = 4 * d * d + 2 * d * intermediateSize;
  return {
    linearFlop: 2 * (layers * layer * rows + 3 * patchSize ** 2 * d * (rows - 1)),
    attentionFlop: 4 * layers * d * rows * rows,
    weightBytes: (bytes.tower * layers) / vision.layers,
    cacheBytes: 0,
  };
}

/** The 2x2 convolution, if there is one, and the gated projection of one image. */
export function adapterCost(
  { vision, hiddenSize: h, intermediateSize, hasConvolution }: ModelConfig,
  bytes: PartBytes,
): Cost {
  const rows = vision.imageTokens - 2;
  const d = vision.hiddenSize;
  return {
    linearFlop: 2 * rows * ((hasConvolution ? 4 * d * d : 0) + d * h + 3 * h * intermediateSize),
    attentionFlop: 0,
    weightBytes: bytes.adapter,
    cacheBytes: 0,
  };
}

/** Rows of one expert after `past` others, with logits for `logits` of them. */
export function decoderCost(
  config: ModelConfig,
  bytes: PartBytes,
  { expert, rows, past, logits }: { expert: Expert; rows: number; past: number; logits: number },
): Cost {
  const { hiddenSize: h, intermediateSize, layers, headSize, kvHeads, vocabSize } = config;
  const kv = headSize * kvHeads;
  const layer = 2 * h * h + 2 * h * kv + 3 * h * intermediateSize;
  // Row i sees `past` keys, itself and the i rows before it.
  const pairs = rows * past + (rows * (rows + 1)) / 2;
  return {
    linearFlop: 2 * (rows * layers * layer + logits * h * vocabSize),
    attentionFlop: 4 * layers * h * pairs,
    weightBytes: bytes[`${expert} experts`] + (logits > 0 ? bytes.lm_head : 0),
    cacheBytes: 2 * 2 * layers * kv * (past + rows),
  };
}

export function sum(...costs: readonly Cost[]): Cost {
  return costs.reduce((a, b) => ({
    linearFlop: a.linearFlop + b.linearFlop,
    attentionFlop: a.attentionFlop + b.attentionFlop,
    weightBytes: a.weightBytes + b.weightBytes,
    cacheBytes: a.cacheBytes + b.cacheBytes,
  }));
}

/** The best rates measured on a machine. */
export interface Peaks {
  flopPerSecond: number;
  bytesPerSecond: number;
}

/** Arithmetic and reading can overlap, so the slower of the two is the lower bound. */
export function limitMs(cost: Cost, { flopPerSecond, bytesPerSecond }: Peaks): number {
  const flop = cost.linearFlop + cost.attentionFlop;
  return 1000 * Math.max(flop / flopPerSecond, (cost.weightBytes + cost.cacheBytes) / bytesPerSecond);
}
