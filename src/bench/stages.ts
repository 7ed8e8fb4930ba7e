import { TensorSet } from '../ggml/engine.ts';
import { ggml } from '../ggml/library.ts';
import type { PromptRows } from '../model/chunks.ts';
import type { Model } from '../model/cogvlm2.ts';
import { adapterCost, type Cost, decoderCost, type PartBytes, sum, towerCost } from '../model/cost.ts';
import { positionsOf, visionExpertRows } from '../text/prompt.ts';
import type { Stage } from './timing.ts';

/** Text rows of the prefill stage, and the tokens that are in the cache when decoding begins. */
const promptRows = 512;
const decodedTokens = 32;

/** An image through the tower and the adapter, layer by layer. The pixels are noise. */
export function visionStage(model: Model, bytes: PartBytes): Stage {
  const { config } = model;
  const { imageSize, layers } = config.vision;
  const layer = towerCost(config, bytes, 1);
  async function* pieces(): AsyncGenerator<Cost> {
    const pixels = Float32Array.from({ length: 3 * imageSize * imageSize }, (_, i) => Math.sin(i));
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
      // A stage that is stopped here frees what the tower holds.
      await blocks.throw(new Error('stopped')).catch(() => {});
    }
  }
  const whole = sum(towerCost(config, bytes, layers), adapterCost(config, bytes));
  return { name: 'vision', unit: 'images', count: 1, whole, pieces: pieces() };
}

/** The rows of an image through the vision expert, chunk by chunk. */
export function imageRowsStage(model: Model, bytes: PartBytes): Stage {
  const { config, engine } = model;
  const { imageTokens } = config.vision;
  // boi and the patches; eoi meets the language expert.
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

/** Text alone through the language expert; one piece is a chunk of it. */
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

/** One token after the other behind a prompt of that length; one piece is a token. */
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

/** Rows of these token types, whose ids mean nothing. */
export function promptOf(types: readonly number[], idAt: (row: number) => number): PromptRows {
  const tokenTypes = Uint8Array.from(types);
  return {
    ids: Int32Array.from(types, (_, row) => idAt(row)),
    tokenTypes,
    positions: positionsOf(tokenTypes),
    visionRows: visionExpertRows(tokenTypes),
  };
}
