import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import type { Progress } from '../../src/generate/types.ts';
import { caught, rejected } from '../checkpoint/caught.ts';
import { writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';
import { tinyModelConfig, writeTinyModel } from '../model/tiny-model.ts';

/** The whole library with random weights. The text has no meaning, but it must be reproducible. */

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-library-'));
const imageFile = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));
const [exact, gray] = [imageFile('exact.png'), imageFile('gray.png')];
const options = { device: 'cpu', threads: 1, model: '' };
let model: CogVLM2;

beforeAll(async () => {
  options.model = writeTinyModel(path.join(folder, 'tiny'));
  model = await CogVLM2.load(options);
});

afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

test('the information about the model', () => {
  expect(model.info).toMatchObject({
    name: 'tiny',
    format: 'safetensors',
    imageSize: 20,
    contextSize: 256,
    threads: 1,
    isDemo: false,
  });
  expect(model.info.sizeBytes).toBe(model.info.parameters * 4);
  expect(model.info.types).toEqual({ f32: model.info.sizeBytes });
});

test('check counts the tokens of a prompt like an answer, and refuses the same prompts', async () => {
  const history = [{ question: 'How many?', answer: 'Two.' }];
  const size = model.check(true, 'And now?', { history, maxTokens: 5 });
  const { usage } = await model.ask(exact, 'And now?', { history, maxTokens: 1 }).result();
  expect(size).toEqual({ promptTokens: usage.promptTokens, imageTokens: 6, maxTokens: 5, ignored: [] });
  expect(model.check(false, 'And now?').imageTokens).toBe(0);
  expect(() => model.check(true, 'why '.repeat(300))).toThrow(/maximum context length is 256 tokens/);
});

test('text is encoded to ids and decoded', () => {
  const ids = model.tokenize('A cat and 一只猫');
  expect(ids.length).toBeGreaterThan(3);
  expect(model.detokenize(ids)).toBe('A cat and 一只猫');
  expect(caught(() => model.detokenize([1e6])).message).toMatch(
    /^1000000 is no token; their ids are 0 to \d+\.$/,
  );
});

describe('answers', () => {
  test('a question about a file gives progress, text and usage', async () => {
    const progress: Progress[] = [];
    let text = '';
    for await (const event of model.ask(imageFile('alpha.png'), 'What is it?', { maxTokens: 12 })) {
      if (event.type === 'progress') progress.push(event.progress);
      if (event.type === 'text') text += event.text;
      if (event.type !== 'done') continue;
      const { usage, timings, text: whole } = event.answer;
      expect(whole).toBe(text);
      expect(usage).toMatchObject({ imageTokens: 6 });
      expect(usage.completionTokens).toBeLessThanOrEqual(12);
      expect(timings.visionMs).toBeGreaterThan(0);
      expect(timings.imageMs).toBeGreaterThan(0);
    }
    expect(progress.filter(({ stage }) => stage === 'vision').map(({ done }) => done)).toEqual([1, 2]);
    expect(progress.at(-1)).toMatchObject({ stage: 'prefill', done: progress.at(-1)?.total });
  });

  test('the same seed gives the same text, another seed another text; a path and its bytes give the same text', async () => {
    const ask = (source: string | Uint8Array, seed: number) =>
      model.ask(source, 'Why?', { temperature: 1, seed, maxTokens: 24 }).result();
    const first = await ask(exact, 3);
    expect(first.tokenIds.length).toBeGreaterThan(0);
    expect((await ask(exact, 3)).tokenIds).toEqual(first.tokenIds);
    expect((await ask(readFileSync(exact), 3)).tokenIds).toEqual(first.tokenIds);
    expect((await ask(exact, 4)).tokenIds).not.toEqual(first.tokenIds);
    expect((await ask(gray, 3)).tokenIds).not.toEqual(first.tokenIds);
  });

  test('questions at the same time do not mix', async () => {
    using image = await model.encodeImage(exact);
    const questions = ['One?', 'Two and more?', 'Three?', 'One?'];
    const ask = (question: string, on: CogVLM2) =>
      on.ask(on === model ? image : exact, question, { temperature: 1, seed: 1, maxTokens: 10 }).result();
    const together = await Promise.all(questions.map((question) => ask(question, model)));
    for (const [i, question] of questions.entries()) {
      using fresh = await CogVLM2.load(options);
      expect(together[i]?.tokenIds, question).toEqual((await ask(question, fresh)).tokenIds);
    }
  });

  test('a conversation reuses the cache, and gives the answer of a new model', async () => {
    const chat = model.chat(exact);
    const first = await chat.ask('How many?', { temperature: 1, seed: 2, maxTokens: 8 }).result();
    const second = await chat.ask('And now?', { temperature: 1, seed: 2, maxTokens: 8 }).result();
    expect(chat.history.map(({ question }) => question)).toEqual(['How many?', 'And now?']);
    expect(chat.history[0]?.answer).toBe(first.text);
    // The cache has at least bos, the image and the first question.
    expect(second.usage.cachedTokens).toBeGreaterThan(1 + 6);
    using fresh = await CogVLM2.load(options);
    const history = [{ question: 'How many?', answer: first.text }];
    const alone = await fresh
      .ask(exact, 'And now?', { history, temperature: 1, seed: 2, maxTokens: 8 })
      .result();
    expect(alone.usage.cachedTokens).toBe(0);
    expect(alone.tokenIds).toEqual(second.tokenIds);
    chat.dispose();
  });

  test('an abort ends an answer, and does not change the model', async () => {
    const ask = () => model.ask(null, 'Tell me all.', { temperature: 1, seed: 9, maxTokens: 60 });
    const wanted = await ask().result();
    let seen = '';
    for await (const piece of ask().text()) {
      seen += piece;
      if (seen.length > 4) break;
    }
    expect(wanted.text.startsWith(seen)).toBe(true);
    expect((await ask().result()).tokenIds).toEqual(wanted.tokenIds);
    const aborted = await model.ask(null, 'Tell me all.', { signal: AbortSignal.abort() }).result();
    expect(aborted.finishReason).toBe('aborted');
  });

  test('an abort ends the encoding of an image', async () => {
    const controller = new AbortController();
    const encoding = model.encodeImage(imageFile('noise.png'), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect((await rejected(encoding)).code).toBe('aborted');
  });
});

describe('errors:', () => {
  test('an image that was disposed', async () => {
    const image = await model.encodeImage(exact);
    image.dispose();
    expect((await rejected(model.ask(image, 'Why?').result())).code).toBe('disposed');
  });

  test('a failed turn does not change the conversation', async () => {
    const chat = model.chat(imageFile('none.png'));
    expect((await rejected(chat.ask('Why?').result())).code).toBe('file_not_found');
    expect(chat.history).toEqual([]);
    expect((await rejected(model.chat().ask('x'.repeat(2000)).result())).code).toBe(
      'context_length_exceeded',
    );
  });

  test.each([0, 257, 1.5])('a context of %d', async (contextSize) => {
    const error = await rejected(CogVLM2.load({ ...options, contextSize }));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain(`1 to 256 for this model; got ${contextSize}`);
  });

  test('a prompt that is longer than a smaller context', async () => {
    using small = await CogVLM2.load({ ...options, contextSize: 10 });
    const error = await rejected(small.ask(exact, 'What is in the picture?').result());
    expect(error.code).toBe('context_length_exceeded');
    expect(error.message).toContain('(6 of them for the image)');
    expect(error.message).toContain('maximum context length is 10');
  });

  test('a checkpoint without a tokenizer, and an aborted load', async () => {
    const bare = writeTinyCheckpoint(path.join(folder, 'bare'), { config: tinyModelConfig });
    const error = await rejected(CogVLM2.load({ ...options, model: bare }));
    expect(error.code).toBe('invalid_checkpoint');
    expect(error.message).toContain(`${bare} has no tokenizer.json`);
    const aborted = await rejected(CogVLM2.load({ ...options, signal: AbortSignal.abort() }));
    expect(aborted.code).toBe('aborted');
  });

  test('a tokenizer of another model, whose ids have no embeddings', async () => {
    const location = writeTinyModel(path.join(folder, 'other'), { vocab_size: 464, eos_token_id: [462] });
    const error = await rejected(CogVLM2.load({ ...options, model: location }));
    expect(error.code).toBe('invalid_checkpoint');
    for (const part of [location, '465 tokens', 'vocabulary is 464']) expect(error.message).toContain(part);
  });

  test('all calls of a disposed model, and its waiting questions', async () => {
    const other = await CogVLM2.load(options);
    const running = other.ask(null, 'Tell me all.', { maxTokens: 100 }).result();
    const waiting = rejected(other.ask(null, 'And this?').result());
    const outcome = running.then(
      () => 'answered',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    );
    await new Promise(setImmediate);
    other.dispose();
    other.dispose();
    expect(['answered', 'disposed']).toContain(await outcome);
    expect((await waiting).code).toBe('disposed');
    expect((await rejected(other.encodeImage(exact))).code).toBe('disposed');
  });
});
