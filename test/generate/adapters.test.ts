import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { rejected } from '../checkpoint/caught.ts';
import { randomPair, writeAdapter } from '../checkpoint/peft/write-adapter.ts';
import { writeTinyModel } from '../model/tiny-model.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-adapters-'));
const image = fileURLToPath(new URL('../fixtures/images/exact.png', import.meta.url));
const language = 'model.layers.0.self_attn.language_expert_dense';
const projection = 'model.vision.linear_proj.linear_proj';
const adapters: Record<string, string> = {};
const options = { device: 'cpu', threads: 1, model: '' };
let model: CogVLM2;

beforeAll(async () => {
  options.model = writeTinyModel(path.join(folder, 'tiny'));
  adapters.text = writeAdapter(path.join(folder, 'text'), randomPair(language, [64, 64], 2, 1));
  adapters.image = writeAdapter(path.join(folder, 'image'), randomPair(projection, [64, 32], 2, 3));
  model = await CogVLM2.load({ ...options, adapters });
});

afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

const ask = (adapter: string | undefined, source: Parameters<CogVLM2['ask']>[0] = image, from = model) =>
  from
    .ask(source, 'What is it?', { maxTokens: 6, logprobs: 0, ...(adapter !== undefined && { adapter }) })
    .result();
/** Tokens and their probabilities. An adapter changes the probabilities before it changes tokens. */
const said = async (answer: ReturnType<typeof ask>) => {
  const { tokenIds, logprobs } = await answer;
  return JSON.stringify([tokenIds, logprobs?.map(({ logprob }) => logprob)]);
};

describe('answers with adapters by name', () => {
  test('equal those of a model that has the adapter for all answers, in parallel and in turns', async () => {
    const names = [undefined, 'text', 'image'];
    const alone = new Map<string | undefined, string>();
    for (const name of names) {
      using own = await CogVLM2.load({
        ...options,
        ...(name !== undefined && { adapter: adapters[name]! }),
      });
      alone.set(name, await said(ask(undefined, image, own)));
    }
    expect(new Set(alone.values()).size).toBe(3);
    const order = [undefined, 'text', 'image', 'text', undefined, 'image'];
    const together = await Promise.all(order.map((name) => said(ask(name))));
    expect(together).toEqual(order.map((name) => alone.get(name)));
    for (const name of order) expect(await said(ask(name))).toEqual(alone.get(name));
  });

  test('share no KV cache, and share encoded images only if the adapter does not change them', async () => {
    using fresh = await CogVLM2.load({ ...options, adapters });
    const facts = async (adapter: string | undefined) => {
      const { usage, imageOrigin } = await ask(adapter, image, fresh);
      return [usage.cachedTokens > 0, imageOrigin];
    };
    expect(await facts(undefined)).toEqual([false, 'encoded']);
    expect(await facts('text')).toEqual([false, 'memory']);
    expect(await facts('image')).toEqual([false, 'encoded']);
    expect(await facts('text')).toEqual([true, 'prefix']);
    expect(await facts('image')).toEqual([true, 'prefix']);
  });

  test('find their images on disk', async () => {
    const origins: (string | null)[] = [];
    for (let i = 0; i < 2; i++) {
      using fresh = await CogVLM2.load({
        ...options,
        imageCache: { directory: path.join(folder, 'disk'), always: true },
        adapters,
      });
      for (const name of ['text', 'image']) origins.push((await ask(name, image, fresh)).imageOrigin);
    }
    expect(origins).toEqual(['encoded', 'encoded', 'disk', 'disk']);
  });

  test('accept an image that was encoded for them', async () => {
    using encoded = await model.encodeImage(image);
    using changed = await model.encodeImage(image, { adapter: 'image' });
    expect(await said(ask('text', encoded))).toBe(await said(ask('text')));
    expect(await said(ask('image', changed))).toBe(await said(ask('image')));
    const { code, message } = await rejected(ask('image', encoded));
    expect([code, message]).toEqual([
      'invalid_value',
      expect.stringContaining('encodeImage(image, { adapter })'),
    ]);
  });

  test('are refused if the name is unknown', async () => {
    const { code, message } = await rejected(ask('texts'));
    expect(code).toBe('invalid_value');
    expect(message).toBe('There is no adapter "texts". Loaded: text, image. Did you mean "text"?');
    expect((await rejected(model.encodeImage(image, { adapter: 'x' }))).code).toBe('invalid_value');
  });
});

test('the model lists its adapters', () => {
  expect(model.info.adapters).toMatchObject([
    { name: 'text', path: adapters.text, scale: 1, sizeBytes: 2 * 128 * 4 },
    { name: 'image', path: adapters.image, scale: 1 },
  ]);
});
