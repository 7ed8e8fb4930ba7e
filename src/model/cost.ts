import type { TensorEntry } from '../checkpoint/checkpoint.ts';
import type { Expert } from './chunks.ts';
import type { ModelConfig } from './config.ts';
import { measureParts, type PartName, sumOf } from './parts.ts';

/**
 * What a stage has to do, whoever computes it: with a machine's measured peaks, the time that nothing can be below.
 * A multiplication and an addition are two operations. Norms, activations and sums are left out: less than 1%.
 */
export interface Cost {
  /** Products with weights. */
  linearFlop: number;
  /** Queries with keys, and probabilities with values; under a causal mask only what it leaves. */
  attentionFlop: number;
  /** Weights that are read, in their stored types, once. */
  weightBytes: number;
  /** Keys and values that are read, in float16. */
  cacheBytes: number;
}

/** Bytes of each part, as it is stored. */
export type PartBytes = Readonly<Record<PartName, number>>;

/** Sums a checkpoint's tensors by part. */
export function partBytes(tensors: Iterable<TensorEntry>): PartBytes {
  const sizes = measureParts(tensors, { exact: false });
  return {
    tower: sumOf(sizes.tower),
    adapter: sumOf(sizes.adapter),
    embeddings: sumOf(sizes.embeddings),
    'vision experts': sumOf(sizes['vision experts']),
    'language experts': sumOf(sizes['language experts']),
    lm_head: sumOf(sizes.lm_head),
  };
}

/** One picture through the patch embedding and `layers` of the tower. */
export function towerCost({ vision }: ModelConfig, bytes: PartBytes, layers = vision.layers): Cost {
  const { hiddenSize: d, intermediateSize, side, patchSize } = vision;
  const rows = side * side + 1;
  const layer = 4 * d * d + 2 * d * intermediateSize;
  return {
    linearFlop: 2 * (layers * layer * rows + 3 * patchSize ** 2 * d * (rows - 1)),
    attentionFlop: 4 * layers * d * rows * rows,
    weightBytes: (bytes.tower * layers) / vision.layers,
    cacheBytes: 0,
  };
}

/** The 2x2 convolution and the gated projection of one picture. */
export function adapterCost(
  { vision, hiddenSize: h, intermediateSize }: ModelConfig,
  bytes: PartBytes,
): Cost {
  const rows = vision.imageTokens - 2;
  const d = vision.hiddenSize;
  return {
    linearFlop: 2 * rows * (4 * d * d + d * h + 3 * h * intermediateSize),
    attentionFlop: 0,
    weightBytes: bytes.adapter,
    cacheBytes: 0,
  };
}

/** Rows of one expert behind `past` others, with logits for `logits` of them. */
export function decoderCost(
  config: ModelConfig,
  bytes: PartBytes,
  { expert, rows, past, logits }: { expert: Expert; rows: number; past: number; logits: number },
): Cost {
  const { hiddenSize: h, intermediateSize, layers, headSize, kvHeads, vocabSize } = config;
  const kv = headSize * kvHeads;
  const layer = 2 * h * h + 2 * h * kv + 3 * h * intermediateSize;
  // Row i of these sees `past` keys, itself and the i rows before it.
  const pairs = rows * past + (rows * (rows + 1)) / 2;
  return {
    linearFlop: 2 * (rows * layers * layer + logits * h * vocabSize),
    attentionFlop: 4 * layers * h * pairs,
    weightBytes: bytes[`${expert} experts`] + (logits > 0 ? bytes.lm_head : 0),
    cacheBytes: 2 * 2 * layers * kv * (past + rows),
  };
}

/** A prompt: bos, a picture's rows if there is one, and text; logits for the last row. */
export function prefillCost(config: ModelConfig, bytes: PartBytes, image: boolean, textRows: number): Cost {
  // boi and the patches meet the vision expert; bos, eoi and the text the language expert.
  const vision = image ? config.vision.imageTokens - 1 : 0;
  const language = image ? textRows + 1 : textRows;
  const chunk = (expert: Expert, rows: number, past: number, logits: number) =>
    decoderCost(config, bytes, { expert, rows, past, logits });
  return sum(
    chunk('language', 1, 0, 0),
    chunk('vision', vision, 1, 0),
    chunk('language', language, 1 + vision, 1),
  );
}

export function sum(...costs: readonly Cost[]): Cost {
  return costs.reduce((a, b) => ({
    linearFlop: a.linearFlop + b.linearFlop,
    attentionFlop: a.attentionFlop + b.attentionFlop,
    weightBytes: a.weightBytes + b.weightBytes,
    cacheBytes: a.cacheBytes + b.cacheBytes,
  }));
}

/** What a machine does at best. */
export interface Peaks {
  flopPerSecond: number;
  bytesPerSecond: number;
}

/** Arithmetic and reading can go on at the same time, so the slower of the two is what cannot be beaten. */
export function limitMs(cost: Cost, { flopPerSecond, bytesPerSecond }: Peaks): number {
  const flop = cost.linearFlop + cost.attentionFlop;
  return 1000 * Math.max(flop / flopPerSecond, (cost.weightBytes + cost.cacheBytes) / bytesPerSecond);
}
