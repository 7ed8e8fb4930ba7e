import { TensorSet } from '../ggml/engine.ts';
import { ggml } from '../ggml/library.ts';
import type { PromptRows } from '../model/chunks.ts';
import type { Model } from '../model/cogvlm2.ts';
import { pixelNumbers } from '../model/config.ts';
import { adapterCost, type Cost, decoderCost, type PartBytes, sum, towerCost } from '../model/cost.ts';
import { positionsOf, visionExpertRows } from '../text/prompt.ts';
import type { Stage } from './timing.ts';

/** Rows of text in the prefill stage, and rows in the KV cache before decoding. */
const promptRows = 512;
const decodedTokens = 32;

/** Encodes an image: the tower, layer by layer, then the adapter. The pixels do not show anything. */
export function visionStage(model: Model, bytes: PartBytes): Stage {
  const { config } = model;
  const { layers } = config.vision;
  const layer = towerCost(config, bytes, 1);
  async function* pieces(): AsyncGenerator<Cost> {
    const pixels = Float32Array.from({ length: pixelNumbers(config.vision) }, (_, i) => Math.sin(i));
    const blocks = model.encodeInBlocks(pixels);
    try {
      for (let block = await blocks.next(); ; block = await blocks.next()) {
        if (block.done) {
          block.value[Symbol.dispose]();
          yield adapterCost(config, bytes);
          return;
        }
        yield layer;
      }
    } finally {
      // If the stage stops early, this frees the tower's memory.
      await blocks.throw(new Error('stopped')).catch(() => {});
    }
  }
  const whole = sum(towerCost(config, bytes, layers), adapterCost(config, bytes));
  return { name: 'vision', unit: 'images', count: 1, whole, pieces: pieces() };
}

/** Prefills the rows of an image with the vision expert, chunk by chunk. */
export function imageRowsStage(model: Model, bytes: PartBytes): Stage {
  const { config, engine } = model;
  const { imageTokens } = config.vision;
  // boi and the patches. eoi runs with the language expert.
  const rows = imageTokens - 1;
  const cost = (count: number, past: number) =>
    decoderCost(config, bytes, { expert: 'vision', rows: count, past, logits: 0 });
  async function* pieces(): AsyncGenerator<Cost> {
    using image = new TensorSet(engine, [['imageTokens', 'f32', [config.hiddenSize, imageTokens]] as const]);
    const values = Float32Array.from({ length: config.hiddenSize * imageTokens }, (_, i) => Math.sin(i));
    ggml().run('ggml_backend_tensor_set', image.get('imageTokens').pointer, values, 0, values.byteLength);
    using cache = model.newCache(1 + imageTokens);
    const prompt = promptOf([0, ...Array<number>(imageTokens).fill(1)], () => config.bosId);
    const chunks = model.prefillInChunks(prompt, cache, { image, start: 1 });
    for (let past = 1; past < 1 + rows; past = cache.length) {
      await chunks.next();
      yield cost(cache.length - past, past);
    }
  }
  return { name: 'image rows', unit: 'rows', count: rows, whole: cost(rows, 1), pieces: pieces() };
}

/** Prefills text without an image with the language expert. One piece is one chunk. */
export function promptStage(model: Model, bytes: PartBytes): Stage {
  const { config } = model;
  const count = Math.min(promptRows, config.maxPositions);
  const cost = (rows: number, past: number, logits: number) =>
    decoderCost(config, bytes, { expert: 'language', rows, past, logits });
  async function* pieces(): AsyncGenerator<Cost> {
    using cache = model.newCache(count);
    const chunks = model.prefillInChunks(
      promptOf(Array<number>(count).fill(0), () => config.bosId),
      cache,
      {
        image: null,
      },
    );
    for (let past = 0; past < count; past = cache.length) {
      await chunks.next();
      yield cost(cache.length - past, past, cache.length === count ? 1 : 0);
    }
  }
  return { name: 'prompt', unit: 'tokens', count, whole: cost(count, 0, 1), pieces: pieces() };
}

/** Decodes tokens after a prompt of `promptRows`. One piece is one token. */
export function decodeStage(model: Model, bytes: PartBytes): Stage {
  const { config } = model;
  const count = Math.min(decodedTokens, config.maxPositions - 1);
  const past = Math.min(promptRows, config.maxPositions - count);
  const cost = (at: number) =>
    decoderCost(config, bytes, { expert: 'language', rows: 1, past: at, logits: 1 });
  async function* pieces(): AsyncGenerator<Cost> {
    using cache = model.newCache(past + count);
    cache.length = past;
    for (let i = 0; i < count; i++) {
      await model.step(config.bosId, past + i, cache);
      yield cost(past + i);
    }
  }
  const whole = sum(...Array.from({ length: count }, (_, i) => cost(past + i)));
  return { name: 'decode', unit: 'tokens', count, whole, pieces: pieces() };
}

/** A prompt with these token types. Its ids have no meaning. */
export function promptOf(types: readonly number[], idAt: (row: number) => number): PromptRows {
  const tokenTypes = Uint8Array.from(types);
  return {
    ids: Int32Array.from(types, (_, row) => idAt(row)),
    tokenTypes,
    positions: positionsOf(tokenTypes),
    visionRows: visionExpertRows(tokenTypes),
  };
}
