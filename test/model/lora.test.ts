import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { type AdapterSource, openAdapters } from '../../src/checkpoint/peft/adapter.ts';
import { mergeAdapters } from '../../src/checkpoint/peft/merge.ts';
import { tensorShapes } from '../../src/checkpoint/published-layout.ts';
import type { NamedArray } from '../../src/checkpoint/safetensors.ts';
import { WeightLoader } from '../../src/checkpoint/weights.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { ggml } from '../../src/ggml/library.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import type { Adapters } from '../../src/model/lora.ts';
import { traceCheckpoint } from '../../src/model/trace.ts';
import { rejected } from '../checkpoint/caught.ts';
import { peftConfig, randomPair, randomTensor, writeAdapter } from '../checkpoint/peft/write-adapter.ts';
import { difference, expectTensors, floats, goldenFolder, readGolden, readTensors } from './tensors.ts';
import {
  promptRows,
  randomArrays,
  randomPixels,
  tinyConfig,
  writeTinyCheckpoint,
} from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-lora-'));
afterAll(() => rmSync(folder, { recursive: true }));
const base = writeTinyCheckpoint(path.join(folder, 'base'));

test('every tensor equals the golden of the official script, beside the float32 weights', async () => {
  const output = path.join(folder, 'official.safetensors');
  const input = path.join(goldenFolder('small'), 'golden.safetensors');
  const adapter = [goldenFolder('lora/official')];
  await traceCheckpoint({ checkpoint: goldenFolder('small'), input, output, compute: 'f32', adapter });
  const traced = readTensors(output);
  const base = readGolden('small');
  expectTensors(traced, readGolden('lora/official'), 2e-4);
  // The adapter changes image rows only.
  expect(
    difference(floats(traced, 'image_chat.logits'), floats(base, 'image_chat.logits')).max,
  ).toBeGreaterThan(0.1);
  expect(difference(floats(traced, 'text_only.logits'), floats(base, 'text_only.logits')).max).toBeLessThan(
    2e-4,
  );
});

/** All linear modules of the model: all matrices except the embeddings and the position table. */
const linear = [...tensorShapes(tinyConfig)].filter(
  ([name, shape]) => shape.length === 2 && name.endsWith('.weight') && !/embed/.test(name),
);

/** An adapter of all linear modules, with biases, and its change of each tensor. */
function wideAdapter(
  name: string,
  r: number,
  seed: number,
): { path: string; changes: Map<string, Float32Array> } {
  const tensors: NamedArray[] = [];
  const changes = new Map<string, Float32Array>();
  const [alpha, scale] = [3, 3 / Math.sqrt(r)];
  for (const [i, [weight, shape]] of linear.entries()) {
    const modulePath = weight.replace(/\.weight$/, '');
    const [rows = 0, columns = 0] = shape;
    const [a, b] = randomPair(modulePath, shape, r, seed + 10 * i);
    for (const { data } of [a!, b!]) for (const [at, value] of data.entries()) data[at] = value / 4;
    tensors.push(a!, b!);
    const change = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let k = 0; k < r; k++)
          change[row * columns + column]! += scale * b!.data[row * r + k]! * a!.data[k * columns + column]!;
    changes.set(weight, change);
  }
  const config = peftConfig({ r, lora_alpha: alpha, use_rslora: true });
  return { path: writeAdapter(path.join(folder, name), tensors, config), changes };
}

const wide = wideAdapter('wide', 5, 100);
const other = wideAdapter('other', 3, 5000);

/** The base model with changes added to its weights. */
function merged(name: string, ...changes: readonly [Map<string, Float32Array>, number][]): string {
  const arrays = randomArrays(tinyConfig).map(({ name, shape, data }) => {
    const sum = Float32Array.from(data as Float32Array, (value, i) =>
      changes.reduce((total, [each, factor]) => total + factor * (each.get(name)?.[i] ?? 0), value),
    );
    return { name, shape, data: sum };
  });
  return writeTinyCheckpoint(path.join(folder, name), { arrays });
}

const always = (...sources: AdapterSource[]): Adapters => new Map([['', openAdapters(sources)]]);
const prompt = promptRows([5, 9, 30, 11], 6);

async function run(checkpoint: string, adapters?: Adapters, adapter?: string) {
  using model = await Model.load(openCheckpoint(checkpoint), {
    device: 'cpu',
    threads: 1,
    compute: 'f32',
    ...(adapters && { adapters }),
  });
  return await results(model, adapter);
}

/** Logits of all rows of a prompt and of one more token. */
async function results(model: Model, adapter?: string): Promise<Float32Array> {
  using image = await model.encodeImage(randomPixels(tinyConfig), { adapter });
  using cache = model.newCache(40);
  const all: Float32Array[] = [];
  const tap = (name: string, data: Float32Array) => name === 'logits' && all.push(data.slice());
  await model.prefill(prompt, cache, { image, logits: 'all', tap, adapter });
  const last = (prompt.positions.at(-1) ?? 0) + 1;
  all.push((await model.step(7, last, cache, adapter)).slice());
  return Float32Array.from(all.flatMap((each) => [...each]));
}

describe('an adapter of all linear modules', () => {
  test('gives the results of the merged weights', async () => {
    const beside = await run(base, always(wide.path));
    expect(difference(beside, await run(merged('merged', [wide.changes, 1]))).max).toBeLessThan(1e-4);
    expect(difference(beside, await run(base)).max).toBeGreaterThan(0.1);
  });

  test('gives the right results with a factor, and with a second adapter of another rank', async () => {
    const beside = await run(base, always({ path: wide.path, scale: -0.5 }, { path: other.path, scale: 2 }));
    const wanted = await run(merged('sum', [wide.changes, -0.5], [other.changes, 2]));
    expect(difference(beside, wanted).max).toBeLessThan(1e-4);
  });

  test('selected by name: each answer uses its own adapter', async () => {
    const adapters: Adapters = new Map([
      ['', []],
      ['wide', openAdapters([wide.path])],
      ['other', openAdapters([other.path])],
    ]);
    const alone = new Map([
      ['', await run(base)],
      ['wide', await run(base, always(wide.path))],
      ['other', await run(base, always(other.path))],
    ]);
    using model = await Model.load(openCheckpoint(base), {
      device: 'cpu',
      threads: 1,
      compute: 'f32',
      adapters,
    });
    for (const [name, wanted] of alone) expect(await results(model, name)).toEqual(wanted);
    // In one decode step, each sequence has its own adapter, and the same bits as alone.
    const names = ['wide', '', 'other', 'wide'];
    const steps = await Promise.all(
      names.map(async (adapter) => {
        const cache = model.newCache(40);
        using image = await model.encodeImage(randomPixels(tinyConfig), { adapter });
        await model.prefill(prompt, cache, { image, adapter });
        return { id: 7, position: (prompt.positions.at(-1) ?? 0) + 1, cache, adapter };
      }),
    );
    const logits = await model.decode(steps);
    for (const [i, name] of names.entries())
      expect(logits[i]).toEqual(alone.get(name)?.slice(-tinyConfig.vocab_size));
  });
});

test('a bias of a linear module is added or replaced', async () => {
  const name = 'model.layers.1.self_attn.vision_expert_query_key_value';
  const arrays = randomArrays(tinyConfig);
  const [outputs = 0] = arrays.find((each) => each.name === `${name}.bias`)!.shape;
  const zero = randomPair(name, [outputs, 64], 2, 1).map((each) => ({
    ...each,
    data: new Float32Array(each.data.length),
  }));
  const bias = randomTensor(`${name}.lora_B.bias`, [outputs], 8);
  const added = writeAdapter(path.join(folder, 'added'), [...zero, bias], peftConfig({ lora_bias: true }));
  const withBias = (change: (value: number, i: number) => number) =>
    arrays.map((each) =>
      each.name === `${name}.bias` ? { ...each, data: (each.data as Float32Array).map(change) } : each,
    );
  const sum = writeTinyCheckpoint(path.join(folder, 'sum'), {
    arrays: withBias((value, i) => value + 2 * bias.data[i]!),
  });
  expect(difference(await run(base, always(added)), await run(sum)).max).toBeLessThan(1e-4);
  const own = { ...bias, name: `${name}.base_layer.bias` };
  const replaced = writeAdapter(
    path.join(folder, 'replaced'),
    [...zero, own],
    peftConfig({ bias: 'lora_only' }),
  );
  const whole = writeTinyCheckpoint(path.join(folder, 'whole'), {
    arrays: withBias((_, i) => bias.data[i]!),
  });
  expect(difference(await run(base, always(replaced)), await run(whole)).max).toBeLessThan(1e-4);
});

test('beside int4 weights, text rows keep their bits, image rows change, and a row does not depend on its batch', async () => {
  // Rows of 256 elements, so that int4 has the types of the full model.
  const config = { ...tinyConfig, hidden_size: 256, intermediate_size: 256 };
  const source = writeTinyCheckpoint(path.join(folder, 'large'), { config });
  const int4 = path.join(folder, 'large.gguf');
  await convertToGguf(openCheckpoint(source), int4, { type: 'int4' });
  const visionOnly = writeAdapter(
    path.join(folder, 'vision-only'),
    [0, 1].flatMap((i) =>
      randomPair(`model.layers.${i}.self_attn.vision_expert_query_key_value`, [512, 256], 2, i),
    ),
  );
  const language = writeAdapter(
    path.join(folder, 'language'),
    [0, 1].flatMap((i) => randomPair(`model.layers.${i}.mlp.language_mlp.down_proj`, [256, 256], 2, i)),
  );
  const adapters: Adapters = new Map([
    ['', []],
    ['vision', openAdapters([visionOnly])],
    ['language', openAdapters([language])],
  ]);
  using model = await Model.load(openCheckpoint(int4), {
    device: 'cpu',
    threads: 1,
    compute: 'stored',
    adapters,
  });
  const ids = [5, 9, 30, 11, 44, 21, 3];
  const logitsOf = async (imageTokens: number, adapter: string, rows: number) => {
    using image = await model.encodeImage(randomPixels(config), { adapter });
    using cache = model.newCache(40);
    return (
      await model.prefill(promptRows(ids, imageTokens), cache, { image, adapter, chunkRows: () => rows })
    ).slice();
  };
  expect(await logitsOf(0, 'vision', 512)).toEqual(await logitsOf(0, '', 512));
  expect(difference(await logitsOf(6, 'vision', 512), await logitsOf(6, '', 512)).max).toBeGreaterThan(0.01);
  const whole = await logitsOf(6, 'language', 512);
  expect(difference(whole, await logitsOf(6, '', 512)).max).toBeGreaterThan(0.01);
  for (const rows of [1, 2, 3]) expect(await logitsOf(6, 'language', rows), `${rows} rows`).toEqual(whole);
  // The same row as a decode step, alone and beside another sequence.
  const prefix = promptRows(ids.slice(0, -1), 6);
  const position = promptRows(ids, 6).positions.at(-1) ?? 0;
  const step = async () => {
    const cache = model.newCache(40);
    using image = await model.encodeImage(randomPixels(config));
    await model.prefill(prefix, cache, { image, adapter: 'language' });
    return { id: ids.at(-1)!, position, cache, adapter: 'language' };
  };
  expect((await model.decode([await step()]))[0]).toEqual(whole);
  expect((await model.decode([await step(), await step()]))[1]).toEqual(whole);
});

test.each([
  ['dora', 'uses DoRA for model.layers.0.self_attn.language_expert_query_key_value'],
  ['saved', 'replaces lm_head.weight (modules_to_save)'],
])('%s without a merge is refused, with the remedy', async (name, why) => {
  const loading = Model.load(openCheckpoint(goldenFolder('small')), {
    adapters: always(goldenFolder(`lora/${name}`)),
  });
  const { code, message } = await rejected(loading);
  expect(code).toBe('invalid_value');
  expect(message).toContain(why);
  expect(message).toContain('cogvlm2 convert MODEL merged.gguf --adapter');
});

test.each([
  [
    'a convolution',
    randomTensor('model.vision.conv.lora_A.weight', [2, 32, 2, 2], 1),
    randomTensor('model.vision.conv.lora_B.weight', [32, 2, 1, 1], 2),
    'changes the convolution model.vision.conv',
  ],
  [
    'embeddings',
    randomTensor('model.embed_tokens.lora_embedding_A', [2, 60], 1),
    randomTensor('model.embed_tokens.lora_embedding_B', [64, 2], 2),
    'changes the embeddings model.embed_tokens',
  ],
])('%s without a merge is refused', async (name, a, b, why) => {
  const adapter = writeAdapter(path.join(folder, `refused ${name}`), [a, b]);
  const { message } = await rejected(Model.load(openCheckpoint(base), { adapters: always(adapter) }));
  expect(message).toContain(why);
});

test('numbers that are not finite are refused', async () => {
  const [a, b] = randomPair('lm_head', [60, 64], 2, 1);
  b!.data[3] = Number.NaN;
  const adapter = writeAdapter(path.join(folder, 'nan'), [a!, b!]);
  const { code, message } = await rejected(Model.load(openCheckpoint(base), { adapters: always(adapter) }));
  expect(code).toBe('invalid_checkpoint');
  expect(message).toContain('lm_head.lora_B.weight contains a number that is not finite');
});

test('the golden adapter beside int4 weights equals the adapter merged into the dequantized weights', async () => {
  const int4 = path.join(folder, 'small-int4.gguf');
  await convertToGguf(openCheckpoint(goldenFolder('small')), int4, { type: 'int4' });
  const values = await dequantized(int4, path.join(folder, 'dequantized'));
  const mergedFile = path.join(folder, 'dequantized.gguf');
  const source = goldenFolder('lora/official');
  await convertToGguf(mergeAdapters(openCheckpoint(values), openAdapters([source])), mergedFile);
  const input = path.join(goldenFolder('small'), 'golden.safetensors');
  const [beside, merged] = [path.join(folder, 'beside'), path.join(folder, 'merged-trace')];
  await traceCheckpoint({ checkpoint: int4, input, output: beside, compute: 'f32', adapter: [source] });
  await traceCheckpoint({ checkpoint: mergedFile, input, output: merged, compute: 'f32' });
  expectTensors(readTensors(beside), readTensors(merged), 2e-4);
});

/** A checkpoint of the float32 values of quantized weights. @returns its folder */
async function dequantized(file: string, to: string): Promise<string> {
  const checkpoint = openCheckpoint(file);
  using engine = new Engine({ device: 'cpu', threads: 1 });
  const loader = new WeightLoader(engine, checkpoint, { isFloat32: true, processorOf: () => 'cpu' });
  const loaded = [...checkpoint.tensors.values()].map(({ name, shape }) => ({
    name,
    shape,
    tensor: loader.converted(name, shape),
  }));
  await loader.finish(() => {});
  const arrays = loaded.map(({ name, shape, tensor }) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    ggml().run('ggml_backend_tensor_get', tensor.pointer, data, 0, data.byteLength);
    return { name, shape, data };
  });
  return writeTinyCheckpoint(to, { config: JSON.parse(checkpoint.texts['config.json']), arrays });
}
