import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { rejected } from '../checkpoint/caught.ts';
import { newCache, run, scriptedModel } from './scripted.ts';

describe('an answer ends', () => {
  test('at the end token, which is not shown', async () => {
    const { model, calls } = scriptedModel(' three cats');
    const { answer, shown, prompt } = await run(model);
    expect(answer).toMatchObject({ text: 'three cats', finishReason: 'stop' });
    expect(shown.join('')).toBe('three cats');
    expect(answer.tokenIds).toEqual([...Buffer.from(' three cats')]);
    // One step per token, each after the last one, the first after the prompt.
    const positions = calls.steps.map(({ position }) => position);
    expect(positions).toEqual(answer.tokenIds.map((_, i) => prompt.ids.length + i));
    expect(calls.steps.map(({ id }) => id)).toEqual(answer.tokenIds);
  });

  test('without text if the model ends at once', async () => {
    const { answer, shown } = await run(scriptedModel('').model);
    expect(answer).toMatchObject({ text: '', tokenIds: [], finishReason: 'stop' });
    expect(shown).toEqual([]);
  });

  test.each([1, 2, 5])('after %i tokens, without a further step', async (maxTokens) => {
    const { model, calls } = scriptedModel('abcdefgh');
    const { answer } = await run(model, { maxTokens });
    expect(answer).toMatchObject({ text: 'abcdefgh'.slice(0, maxTokens), finishReason: 'length' });
    expect(answer.usage.completionTokens).toBe(maxTokens);
    expect(calls.steps.length).toBe(maxTokens - 1);
  });

  test('at a stop string of several tokens, which is never shown', async () => {
    const { model, calls } = scriptedModel('four\nQuestion: and?');
    const { answer, shown } = await run(model, { stop: '\nQuestion:' });
    expect(answer).toMatchObject({ text: 'four', finishReason: 'stop' });
    expect(shown.join('')).toBe('four');
    expect(calls.steps.length).toBe('four\nQuestion:'.length - 1);
  });

  test('at the first of several stop strings; a text that only began like one is shown', async () => {
    const several = await run(scriptedModel('one two three').model, { stop: ['three', 'two'] });
    expect(several.answer.text).toBe('one ');
    const near = await run(scriptedModel('a##').model, { stop: '###' });
    expect(near.answer).toMatchObject({ text: 'a##', finishReason: 'stop' });
    expect(near.shown.join('')).toBe('a##');
  });

  test('with whole characters; an incomplete one at the limit becomes U+FFFD', async () => {
    const { shown, answer } = await run(scriptedModel('猫 é').model);
    expect(shown).toEqual(['猫', ' ', 'é']);
    expect(answer.text).toBe('猫 é');
    const cut = await run(scriptedModel('a猫').model, { maxTokens: 3 });
    expect(cut.answer.text).toBe('a\ufffd');
    expect(cut.shown.join('')).toBe('a\ufffd');
  });

  test('at a stop string that is completed by text that was held back', async () => {
    const { answer, shown } = await run(scriptedModel('ba猫').model, { maxTokens: 4, stop: 'a\ufffd' });
    expect(answer).toMatchObject({ text: 'b', finishReason: 'stop' });
    expect(shown.join('')).toBe('b');
  });

  test('within one token at an abort, and keeps the text so far', async () => {
    const controller = new AbortController();
    const { model, calls } = scriptedModel('abcdefghij');
    const { answer } = await run(model, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'text' && event.text === 'c') controller.abort();
      },
    });
    expect(answer).toMatchObject({ text: 'abc', finishReason: 'aborted' });
    expect(calls.steps.length).toBeLessThanOrEqual(3);
  });

  test('empty at an abort before the prefill, with an empty cache', async () => {
    const { model, calls } = scriptedModel('abc');
    const cache = newCache();
    const { answer } = await run(model, { signal: AbortSignal.abort(), cache });
    expect(answer).toMatchObject({ text: '', finishReason: 'aborted' });
    expect(cache.rows).toEqual({ ids: [], imageKey: null, adapter: '' });
    expect(calls).toEqual({ prefills: [], steps: [] });
  });

  test('with an error if the model fails', async () => {
    const { model } = scriptedModel('abc');
    model.prefill = async () => {
      throw new Error('mine');
    };
    await expect(run(model)).rejects.toThrow('mine');
  });
});

describe('usage and timings', () => {
  test('count the prompt, the image and the answer', async () => {
    const { answer, events, prompt } = await run(scriptedModel('yes').model, { imageKey: 'a' });
    expect(prompt.ids.length).toBe(1 + 6 + 'Question: How many? Answer:'.length);
    expect(answer.usage).toEqual({
      promptTokens: prompt.ids.length,
      imageTokens: 6,
      cachedTokens: 0,
      completionTokens: 3,
    });
    const { timings } = answer;
    expect(timings.perTokenMs.length).toBe(3);
    for (const name of ['prefillMs', 'firstTokenMs', 'decodeMs', 'totalMs'] as const) {
      expect(timings[name], name).toBeGreaterThan(0);
      expect(timings[name], name).toBeLessThanOrEqual(timings.totalMs);
    }
    const total = prompt.ids.length;
    expect(events[0]).toEqual({ type: 'progress', progress: { stage: 'prefill', done: total, total } });
  });

  test('an image uses three positions', async () => {
    const { model, calls } = scriptedModel('ab');
    const { prompt } = await run(model, { imageKey: 'a' });
    expect(calls.steps[0]?.position).toBe(prompt.ids.length - (6 - 3));
  });
});

describe('the KV cache', () => {
  test('a second turn runs only new rows', async () => {
    const cache = newCache();
    const imageKey = 'a';
    const { model, calls } = scriptedModel(' two');
    const first = await run(model, { cache, imageKey, question: 'How many cats?' });
    const known = cache.rows.ids.length;
    expect(known).toBe(first.prompt.ids.length + 4);
    const history = [{ question: 'How many cats?', answer: first.answer.text }];
    const second = await run(model, { cache, imageKey, history, question: 'And dogs?' });
    expect(second.answer.usage.cachedTokens).toBe(known);
    expect(calls.prefills[1]).toEqual({ start: known, rows: second.prompt.ids.length });
    expect(cache.rows.ids).toEqual([...second.prompt.ids, ...Buffer.from(' two')]);
    expect(cache.rows.imageKey).toBe('a');
  });

  test('a repeated question runs only its last row', async () => {
    const cache = newCache();
    const { model } = scriptedModel('x');
    const first = await run(model, { cache });
    const again = await run(model, { cache });
    expect(again.answer.usage.cachedTokens).toBe(first.prompt.ids.length - 1);
  });

  test('another image reuses only bos', async () => {
    const cache = newCache();
    const { model } = scriptedModel('x');
    await run(model, { cache, imageKey: 'a' });
    const other = await run(model, { cache, imageKey: 'b' });
    expect(other.answer.usage.cachedTokens).toBe(1);
    expect(cache.rows.imageKey).toBe('b');
  });

  test('an answer that is cut at its limit is kept up to the last step', async () => {
    const cache = newCache();
    const { model } = scriptedModel('abcdef');
    const { prompt } = await run(model, { cache, maxTokens: 3 });
    expect(cache.rows.ids).toEqual([...prompt.ids, ...Buffer.from('ab')]);
  });
});

describe('the seed', () => {
  const random = randomFrom(5);
  const rows = Array.from({ length: 20 }, () =>
    Float32Array.from({ length: 256 }, (_, id) => (id >= 97 && id < 123 ? random() * 2 : -50)),
  );
  const ask = async (seed?: number) => {
    const { model } = scriptedModel('', (at) => rows[at]!);
    const { answer } = await run(model, {
      temperature: 1,
      maxTokens: 20,
      ...(seed !== undefined && { seed }),
    });
    return answer;
  };

  test('the same seed gives the same text, another seed another text', async () => {
    const [one, again, other] = [await ask(7), await ask(7), await ask(8)];
    expect(one.text.length).toBe(20);
    expect(again.text).toBe(one.text);
    expect(other.text).not.toBe(one.text);
    expect(one.seed).toBe(7);
  });

  test('a random seed is in the answer, and gives the same text again', async () => {
    const drawn = await ask();
    expect((await ask(drawn.seed)).text).toBe(drawn.text);
  });
});

describe('before any work are refused:', () => {
  const { model, calls } = scriptedModel('x');
  const prompt = 1 + 'Question: How many? Answer:'.length;

  test.each([
    ['an empty question', { question: ' \n' }, 'invalid_value', ['empty']],
    ['no token', { maxTokens: 0 }, 'invalid_value', ['maxTokens', 'got 0']],
    ['half a token', { maxTokens: 2.5 }, 'invalid_value', ['maxTokens', 'got 2.5']],
    ['an empty stop string', { stop: ['a', ''] }, 'invalid_value', ['Stop string 2 of 2']],
    ['a temperature', { temperature: -1 }, 'invalid_value', ['temperature', '0 to 100', 'got -1']],
    [
      'an answer that is too long for the context',
      { capacity: 50, maxTokens: 40 },
      'context_length_exceeded',
      [`${prompt} tokens`, 'may have 40', 'context length is 50 tokens', `Lower maxTokens to ${50 - prompt}`],
    ],
    [
      'a question longer than the context',
      { capacity: prompt - 5, question: 'How many?' },
      'context_length_exceeded',
      [`${prompt} tokens`, `context length is ${prompt - 5} tokens`, 'Shorten the text.'],
    ],
    [
      'an image that does not fit',
      { capacity: prompt + 2, imageKey: 'a' },
      'context_length_exceeded',
      [`${prompt + 6} tokens (6 of them for the image)`, `context length is ${prompt + 2} tokens`],
    ],
  ] as const)('%s', async (_, options, code, parts) => {
    const error = await rejected(run(model, options));
    expect(error.code).toBe(code);
    for (const part of parts) expect(error.message).toContain(part);
    expect(calls.prefills).toEqual([]);
  });

  test('but not a prompt that leaves room for one token', async () => {
    const { answer } = await run(scriptedModel('abc').model, { capacity: prompt + 1 });
    expect(answer).toMatchObject({ text: 'a', finishReason: 'length' });
  });
});
