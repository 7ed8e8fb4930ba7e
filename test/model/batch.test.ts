import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import type { PresetName } from '../../src/checkpoint/type-preset.ts';
import { randomFrom } from '../../src/generate/sampler.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import { promptRows, randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

/**
 * A row's result depends on the rows before it in its own sequence only, to the last bit: not on the number of sequences in the
 * batch, not on the chunks of the prompt, and not on whether the earlier rows were computed or copied.
 */

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-batch-'));
// Rows of 256 elements, so that int4 has the types of the full model, and 81 image rows: more than a tile of ggml's attention.
const config = {
  ...tinyConfig,
  hidden_size: 256,
  intermediate_size: 256,
  num_hidden_layers: 2,
  max_position_embeddings: 1024,
  vision_config: { ...tinyConfig.vision_config, image_size: 72, num_positions: 325 },
};
const imageTokens = 83;
const source = writeTinyCheckpoint(path.join(folder, 'source'), { config });
const random = randomFrom(3);
const someIds = (length: number) =>
  Array.from({ length }, () => 3 + Math.floor(random() * (config.vocab_size - 3)));

afterAll(() => rmSync(folder, { recursive: true }));

async function load(kind: PresetName | 'f32'): Promise<Model> {
  if (kind === 'f32') {
    return Model.load(openCheckpoint(source), { compute: 'f32', device: 'cpu', threads: 1 });
  }
  const file = path.join(folder, `${kind}.gguf`);
  await convertToGguf(openCheckpoint(source), file, { type: kind });
  return Model.load(openCheckpoint(file), { compute: 'stored', device: 'cpu', threads: 1 });
}

interface Run {
  cache: KvCache;
  position: number;
  logits: Float32Array[];
}

/** Prompts of several lengths, some with the image. The last two pass 512 keys, where ggml picks another kernel. */
const prompts = [
  promptRows(someIds(5), imageTokens),
  promptRows(someIds(1), 0),
  promptRows(someIds(70), imageTokens),
  promptRows(someIds(40), 0),
  promptRows(someIds(425), imageTokens),
  promptRows(someIds(511), 0),
];
const steps = 5;

async function start(model: Model, index: number, rows = 512): Promise<Run> {
  const prompt = prompts[index]!;
  const cache = model.newCache(prompt.ids.length + steps);
  using image = await model.encodeImage(randomPixels(config));
  const logits = await model.prefill(prompt, cache, { image, chunkRows: () => rows });
  return { cache, position: (prompt.positions.at(-1) ?? 0) + 1, logits: [logits] };
}

/** One decode step for all runs, with given ids. */
async function stepAll(model: Model, runs: readonly Run[], ids: readonly number[]): Promise<void> {
  const logits = await model.decode(
    runs.map(({ cache, position }, i) => ({ id: ids[i] ?? 3, position, cache })),
  );
  for (const [i, run] of runs.entries()) {
    run.position++;
    run.logits.push(logits[i]!.slice());
  }
}

describe.each(['f32', 'bf16', 'int8', 'int4'] as const)('%s', (kind) => {
  test('several sequences in a batch have the same results as each alone', { timeout: 60_000 }, async () => {
    using model = await load(kind);
    const ids = Array.from({ length: steps }, () => someIds(prompts.length));
    const alone: Run[] = [];
    for (const index of prompts.keys()) {
      const run = await start(model, index);
      for (const row of ids) await stepAll(model, [run], [row[index]!]);
      alone.push(run);
    }
    // Sequences join one by one: the first one decodes alone, then beside another one, then beside more.
    const together: Run[] = [];
    const due = (run: Run) => ids[run.logits.length - 1];
    for (const index of prompts.keys()) {
      together.push(await start(model, index, [512, 64, 16, 1][index % 4]));
      const running = together.filter((run) => due(run));
      await stepAll(
        model,
        running,
        running.map((run) => due(run)![together.indexOf(run)]!),
      );
    }
    for (let running = together; running.length > 0; running = running.filter((run) => due(run))) {
      running = running.filter((run) => due(run));
      if (running.length > 0) {
        await stepAll(
          model,
          running,
          running.map((run) => due(run)![together.indexOf(run)]!),
        );
      }
    }
    for (const [index, run] of alone.entries()) {
      expect(together[index]!.logits.length).toBe(steps + 1);
      for (const [step, logits] of run.logits.entries()) {
        expect(together[index]!.logits[step], `prompt ${index}, step ${step}`).toEqual(logits);
      }
    }
    expect(new Set(alone.map(({ logits }) => logits[steps]!.join())).size).toBe(prompts.length);
  });

  test('rows have the same results one by one, in chunks, or copied from another sequence', async () => {
    using model = await load(kind);
    const prompt = prompts[2]!;
    const { logits } = await start(model, 2);
    using image = await model.encodeImage(randomPixels(config));
    using cache = model.newCache(200);
    await model.prefill(prompts[0]!, cache, { image });
    cache.length = 1 + imageTokens;
    let last: Float32Array = new Float32Array(0);
    for (let i = cache.length; i < prompt.ids.length; i++)
      last = await model.step(prompt.ids[i]!, prompt.positions[i]!, cache);
    expect(last).toEqual(logits[0]);
    using copy = model.newCache(160);
    await copy.copyFrom(cache, 100);
    expect(copy.length).toBe(100);
    expect(await model.prefill(prompt, copy, { image: null, start: 100 })).toEqual(logits[0]);
  });
});

test('results are equal for sequences of different lengths, a shortened cache, and more than 256 keys', async () => {
  using model = await load('f32');
  const ids = someIds(519);
  const prompt = promptRows(ids, 0);
  const wanted: Float32Array[] = [];
  await model.prefill(prompt, model.newCache(520), {
    image: null,
    logits: 'all',
    tap: (name, logits) => {
      if (name !== 'logits') return;
      for (let at = 0; at < logits.length; at += config.vocab_size)
        wanted.push(logits.subarray(at, at + config.vocab_size));
    },
  });
  const [a, b] = [model.newCache(520), model.newCache(300)];
  const step = (i: number, cache: KvCache) => ({ id: prompt.ids[i]!, position: prompt.positions[i]!, cache });
  const right = (logits: Float32Array | undefined, i: number) =>
    expect(logits, `row ${i}`).toEqual(wanted[i]);
  for (const [cache, end] of [[a, 250] as const, [b, 10] as const])
    await model.prefill(promptRows(ids.slice(0, end - 1), 0), cache, { image: null });
  for (let i = 0; i < 15; i++) {
    const logits = await model.decode([step(250 + i, a), step(10 + i, b)]);
    right(logits[0], 250 + i);
    right(logits[1], 10 + i);
  }
  a.length = 240;
  for (let i = 240; i < 280; i++) right((await model.decode([step(i, a)]))[0], i);
  // Two independent calls at the same time.
  const both = await Promise.all([model.decode([step(280, a)]), model.decode([step(25, b)])]);
  right(both[0]![0], 280);
  right(both[1]![0], 25);
  b[Symbol.dispose]();
  await expect(model.decode([step(26, b)])).rejects.toThrow('disposed');
});

test('ggml gives one row over a long cache the same bits for any number of threads if its heads are split in two', async () => {
  const [headSize, keys, heads] = [16, 600, 4];
  const values = Float32Array.from({ length: headSize * keys * heads }, () => random() * 2 - 1);
  const attend = async (threads: number, groups: number) => {
    using engine = new Engine({ device: 'cpu', threads });
    const graph = new Graph(engine);
    const sizes = [headSize, keys, heads / groups, groups];
    const q = graph.input('f32', [headSize, 1, heads / groups, groups], values.subarray(0, headSize * heads));
    const kv = graph.input('f32', sizes, values);
    graph.output('o', graph.attention(q, kv, kv, null, 0.25));
    return (await graph.run()).get('o');
  };
  const wanted = await attend(1, 2);
  expect(await attend(2, 2)).toEqual(wanted);
  // If this fails, ggml no longer divides the cache, and the groups in ggml-attention.ts can be removed.
  expect(await attend(2, 1)).not.toEqual(wanted);
});
