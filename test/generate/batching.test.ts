import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import type { LoadOptions } from '../../src/generate/load-options.ts';
import type { Answer, GenerateOptions, Progress } from '../../src/generate/types.ts';
import type { AnswerFormat } from '../../src/grammar/answer-grammar.ts';
import { rejected } from '../checkpoint/caught.ts';
import { tinyModelConfig, writeTinyModel } from '../model/tiny-model.ts';

/** Several questions at the same time, with random weights and with the demo model. */

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-batching-'));
const config = { ...tinyModelConfig, hidden_size: 256, intermediate_size: 256, max_position_embeddings: 700 };
const layers = config.vision_config.num_hidden_layers;
const tiny = writeTinyModel(path.join(folder, 'tiny'), config);
const imageFile = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));
const pictures = ['exact.png', 'gray.png', 'alpha.png'].map(imageFile);
const options: LoadOptions = { device: 'cpu', threads: 1, model: tiny };
const load = (more: LoadOptions = {}) => CogVLM2.load({ ...options, ...more });

afterAll(() => rmSync(folder, { recursive: true }));

interface Question {
  image: string | null;
  question: string;
  options: GenerateOptions;
}

const questions: Question[] = Array.from({ length: 8 }, (_, i) => ({
  image: [null, ...pictures][i % 4]!,
  // Up to 530 tokens of text, so that some caches pass 512 keys.
  question: `${'And then? '.repeat([0, 3, 20, 52][(i + Math.floor(i / 4)) % 4]!)}Question ${i}?`,
  options: {
    maxTokens: 8 + i,
    ...(i % 3 === 2 && { temperature: 1, seed: i, repetitionPenalty: 1.1 }),
  },
}));

async function alone(model: LoadOptions, all: readonly Question[]): Promise<Answer[]> {
  // Not `parallel: 1`, with which the engine may round differently. There are no other questions anyway.
  using lonely = await CogVLM2.load({ ...model, parallel: 2 });
  const answers: Answer[] = [];
  for (const { image, question, options } of all)
    answers.push(await lonely.ask(image, question, options).result());
  return answers;
}

function together(model: CogVLM2, all: readonly Question[]): Promise<Answer[]> {
  return Promise.all(all.map(({ image, question, options }) => model.ask(image, question, options).result()));
}

async function expectTheSame(model: LoadOptions, all: readonly Question[]): Promise<void> {
  const wanted = await alone(model, all);
  using shared = await CogVLM2.load({ ...model, parallel: 5 });
  for (const round of ['cold', 'warm']) {
    const answers = await together(shared, all);
    for (const [i, answer] of answers.entries()) {
      expect(answer.tokenIds, `${round}, question ${i}`).toEqual(wanted[i]?.tokenIds);
      expect(answer.text).toBe(wanted[i]?.text);
      expect(answer.usage).toMatchObject({ ...wanted[i]?.usage, cachedTokens: answer.usage.cachedTokens });
      expect(answer.timings.perTokenMs.length).toBeLessThanOrEqual(answer.tokenIds.length);
    }
  }
  const { running, waiting, decodeSteps, tokensGenerated } = shared.stats();
  expect([running, waiting]).toEqual([0, 0]);
  expect(decodeSteps).toBeLessThan(tokensGenerated);
}

describe('an answer does not depend on other answers', () => {
  test.each(['f32', 'stored'] as const)('random weights, %s', { timeout: 60_000 }, async (kind) => {
    if (kind === 'f32') return expectTheSame(options, questions);
    const model = path.join(folder, 'int4.gguf');
    await convertToGguf(openCheckpoint(tiny), model, { type: 'int4' });
    return expectTheSame({ ...options, model }, questions);
  });

  const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
  test.skipIf(!existsSync(path.join(demo, 'model.safetensors')))(
    'the demo model (skipped without models/demo)',
    { timeout: 60_000 },
    async () => {
      const examples = fileURLToPath(new URL('../../examples/images', import.meta.url));
      const all = ['receipt.png', 'bar-chart.png', 'receipt.png', 'form.png'].map((name, i) => ({
        image: path.join(examples, name),
        question: [
          'What is the total?',
          'What is the highest value?',
          'What is the date?',
          'What is the name?',
        ][i]!,
        options: { maxTokens: 12 },
      }));
      await expectTheSame({ device: 'cpu', threads: 1, model: demo }, all);
    },
  );
});

describe('work that is done once', () => {
  const ask = (model: CogVLM2, image: string, question: string) =>
    model.ask(image, question, { maxTokens: 4 }).result();

  test('an image of several questions is encoded once, and its rows run once', async () => {
    using model = await load();
    const answers = await Promise.all(
      ['One?', 'Two?', 'Three?', 'Four?'].map((question) => ask(model, pictures[0]!, question)),
    );
    expect(model.stats().visionBlocks).toBe(layers);
    const cached = answers.map(({ usage }) => usage.cachedTokens).sort((a, b) => a - b);
    expect(cached[0]).toBe(0);
    for (const tokens of cached.slice(1)) expect(tokens).toBeGreaterThanOrEqual(1 + 6);
  });

  test('an image is not encoded again until it was evicted', async () => {
    const one = 6 * 256 * 4;
    using model = await load({ parallel: 1, imageCacheBytes: 2 * one });
    const [a, b, c] = pictures as [string, string, string];
    const blocks = async (image: string) => {
      const before = model.stats().visionBlocks;
      await ask(model, image, 'Why?');
      expect(model.stats().imageCacheBytes).toBeLessThanOrEqual(2 * one);
      return (model.stats().visionBlocks - before) / layers;
    };
    const order = [a, b, a, b, c, b, a];
    const encoded: number[] = [];
    for (const image of order) encoded.push(await blocks(image));
    expect(encoded).toEqual([1, 1, 0, 0, 1, 0, 1]);
  });

  test('an image in use remains valid after its eviction', async () => {
    using model = await load({ imageCacheBytes: 0 });
    using image = await model.encodeImage(pictures[0]!);
    await ask(model, pictures[1]!, 'Why?');
    expect(model.stats().imageCacheBytes).toBe(6 * 256 * 4);
    const { tokenIds } = await model.ask(image, 'Why?', { maxTokens: 4 }).result();
    using fresh = await load();
    expect((await ask(fresh, pictures[0]!, 'Why?')).tokenIds).toEqual(tokenIds);
    image.dispose();
    expect(model.stats().imageCacheBytes).toBe(0);
  });

  test('a turn copies the rows of another conversation that is still in use', async () => {
    using model = await load();
    const chats = [model.chat(pictures[0]!), model.chat(pictures[0]!)] as const;
    await chats[0].ask('How many are there?', { maxTokens: 30 }).result();
    const [first, second] = await Promise.all([
      chats[0].ask('And now?', { maxTokens: 4 }).result(),
      chats[1].ask('How many dogs?', { maxTokens: 4 }).result(),
    ]);
    expect(first.usage.cachedTokens).toBeGreaterThan(1 + 6);
    expect(second.usage.cachedTokens).toBeGreaterThan(1 + 6);
    expect(model.stats().visionBlocks).toBe(layers);
    for (const chat of chats) chat.dispose();
  });
});

describe('the queue', () => {
  const long = { temperature: 1, seed: 1, maxTokens: 60 };

  test('a question beyond the limit is refused at once, with numbers; the others are answered', async () => {
    using model = await load({ parallel: 2, maxWaiting: 3 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 7 }, (_, i) => model.ask(null, `Question ${i}?`, { maxTokens: 5 }).result()),
    );
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons.length).toBe(2);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'queue_full' });
    expect(String(reasons[0])).toContain('2 questions are being answered and 3 are queued');
  });

  test('clients take turns, also if one of them has many questions', async () => {
    using model = await load({ parallel: 1 });
    const order: string[] = [];
    const ask = async (client: string, count: number) => {
      const answers = Array.from({ length: count }, async (_, i) => {
        await model.ask(null, `${client} ${i}?`, { maxTokens: 2, client }).result();
        order.push(client);
      });
      await Promise.all(answers);
    };
    await Promise.all([ask('many', 6), ask('few', 2), ask('other', 1)]);
    // The first client had the slot before the other clients came.
    expect(order.slice(0, 6).sort()).toEqual(['few', 'few', 'many', 'many', 'many', 'other']);
  });

  test('an aborted question leaves the queue or the batch', async () => {
    using model = await load({ parallel: 1 });
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = model.ask(null, 'Tell me all.', { ...long, signal: running.signal }).result();
    const second = rejected(model.ask(null, 'And this?', { signal: waiting.signal }).result());
    const third = model.ask(null, 'And that?', { maxTokens: 3 }).result();
    while (model.stats().decodeSteps < 3) await new Promise(setImmediate);
    expect(model.stats()).toMatchObject({ running: 1, waiting: 2, slots: 1 });
    waiting.abort();
    expect((await second).code).toBe('aborted');
    expect(model.stats().waiting).toBe(1);
    const { decodeSteps } = model.stats();
    running.abort();
    expect((await first).finishReason).toBe('aborted');
    expect(model.stats().decodeSteps - decodeSteps).toBeLessThanOrEqual(1);
    expect((await third).usage.completionTokens).toBeLessThanOrEqual(3);
  });

  test('the encoding of an image is aborted within one block, unless other questions wait for it', async () => {
    using model = await load();
    const controller = new AbortController();
    const { signal } = controller;
    const ask = (more: GenerateOptions) => model.ask(pictures[0]!, 'Why?', { maxTokens: 2, ...more });
    const leaving = ask({ signal });
    const left = (async () => {
      for await (const event of leaving) {
        if (event.type === 'progress' && event.progress.stage === 'vision') controller.abort();
      }
    })();
    expect((await rejected(left)).code).toBe('aborted');
    expect(model.stats()).toMatchObject({ visionBlocks: 1, running: 0 });
    using image = await model.encodeImage(pictures[0]!);
    expect(model.stats().visionBlocks).toBe(1 + layers);
    expect(image.imageTokens).toBe(6);

    const other = new AbortController();
    const both = [
      model.encodeImage(pictures[1]!, { signal: other.signal, onProgress: () => other.abort() }),
      model.encodeImage(pictures[1]!),
    ] as const;
    expect((await rejected(both[0])).code).toBe('aborted');
    (await both[1]).dispose();
    expect(model.stats().visionBlocks).toBe(1 + 2 * layers);
  });

  test('the encoding of a large image, whose blocks run in parts, is aborted within one part', async () => {
    const [side, towerLayers] = [33, 6];
    const large = {
      ...config,
      max_position_embeddings: 1000,
      vision_config: {
        ...config.vision_config,
        num_hidden_layers: towerLayers,
        image_size: side * config.vision_config.patch_size,
        num_positions: side * side + 1,
      },
    };
    using model = await load({
      model: writeTinyModel(path.join(folder, 'large'), large),
    });
    const controller = new AbortController();
    const told: number[] = [];
    const onProgress = ({ stage, done }: Progress) => {
      if (stage !== 'vision') return;
      told.push(done);
      // 1024 of the second block's 1090 rows.
      if (done > 1 && done < 2) controller.abort();
    };
    const { signal } = controller;
    expect((await rejected(model.encodeImage(pictures[0]!, { signal, onProgress }))).code).toBe('aborted');
    expect(told.some((done) => !Number.isInteger(done))).toBe(true);
    expect(model.stats()).toMatchObject({ visionBlocks: 1, running: 0 });
    (await model.encodeImage(pictures[0]!)).dispose();
    expect(model.stats().visionBlocks).toBe(1 + towerLayers);
  });

  test('a question is answered while an image is encoded', async () => {
    using model = await load();
    const blocksAtTokens: number[] = [];
    // The schema keeps the answer from ending before the files of the images are read.
    const schema = { type: 'string', minLength: 5_000 };
    const format: AnswerFormat = { type: 'json_schema', schema };
    const talk = (async () => {
      for await (const piece of model.ask(null, 'Tell me all.', { maxTokens: 600, format }).text())
        if (piece) blocksAtTokens.push(model.stats().visionBlocks);
    })();
    while (model.stats().decodeSteps < 2) await new Promise(setImmediate);
    await Promise.all(pictures.map((picture) => model.encodeImage(picture)));
    await talk;
    expect(new Set(blocksAtTokens).size).toBeGreaterThan(2);
  });
});

describe('the KV memory', () => {
  test('is bounded: a question that does not fit waits', async () => {
    using model = await load({ contextSize: 512, kvTokens: 600 });
    const most = { tokens: 0, running: 0 };
    const ask = async (i: number) => {
      for await (const _ of model.ask(null, `Question ${i}?`, { maxTokens: 12 + i }).text()) {
        const { kvTokensUsed, running } = model.stats();
        most.tokens = Math.max(most.tokens, kvTokensUsed);
        most.running = Math.max(most.running, running);
      }
    };
    await Promise.all([1, 2, 3, 4, 5].map(ask));
    expect(most).toEqual({ tokens: 512, running: 2 });
  });

  test.each([
    [{ parallel: 0 }, 'parallel must be a whole number, from 1 to'],
    [{ parallel: 100_000 }, 'got 100000'],
    [{ maxWaiting: -1 }, 'maxWaiting must be a whole number, 0 or more; got -1'],
    [{ kvTokens: 699 }, 'kvTokens must be a whole number, 700 or more, so that one whole context fits'],
  ])('%j is refused', async (more, part) => {
    const error = await rejected(load(more));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain(part);
  });
});

test('disposing the model ends all questions without a crash', async () => {
  const model = await load({ parallel: 2 });
  const outcomes = Array.from({ length: 5 }, (_, i) =>
    model
      .ask([null, ...pictures][i % 4]!, `Question ${i}?`, { maxTokens: 200, temperature: 1, seed: i })
      .result()
      .then(
        () => 'answered',
        (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
      ),
  );
  while (model.stats().decodeSteps < 2) await new Promise(setImmediate);
  model.dispose();
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['disposed']));
});

test('a slow schema does not delay the tokens of other answers', async () => {
  using model = await load({ parallel: 2 });
  // Each text has 250 parses at the same time, and each parse is continued for each token of the vocabulary.
  const schema = {
    anyOf: Array.from({ length: 250 }, (_, i) => ({ type: 'string', minLength: i, maxLength: 300 + i })),
  };
  const asked = model
    .ask(null, 'Which?', { format: { type: 'json_schema', schema }, maxTokens: 10 })
    .result();
  let others = -1;
  const done = asked.finally(() => {
    others = model.stats().tokensGenerated;
  });
  for (let seed = 0; others < 0; seed++)
    await model.ask(null, 'And then?', { maxTokens: 300, temperature: 1, seed }).result();
  const { completionTokens } = (await done).usage;
  expect(completionTokens).toBe(10);
  // If both answers took turns, there would be about the same number.
  expect(others - completionTokens).toBeGreaterThan(15);
});
