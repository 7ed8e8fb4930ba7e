import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/random.ts';
import type { AnswerFormat } from '../../src/generate/types.ts';
import { rejected } from '../checkpoint/caught.ts';
import { run, scriptedModel } from './scripted.ts';

/** The generator held to a form. The scripted model's vocabulary is the 256 bytes, so nothing but the mask helps it. */

/** Likes what the script says, and after it anything at random. */
function wilful(script: string) {
  const random = randomFrom(1);
  const scripted = Buffer.from(script);
  return scriptedModel('', (at) => {
    const logits = Float32Array.from({ length: 256 }, () => random());
    const wanted = scripted[at];
    if (wanted !== undefined) logits[wanted] = 9;
    return logits;
  }).model;
}

const price: AnswerFormat = {
  type: 'json_schema',
  schema: {
    type: 'object',
    properties: {
      item: { type: 'string', maxLength: 8 },
      price: { type: 'integer', minimum: 1, maximum: 9 },
    },
    required: ['item', 'price'],
  },
};

describe('an answer with a format', () => {
  test.each(['{"item": "tea", "price": 3}', ' {"item":"tea","price":3}'])(
    'is what the model wants to say, where that fits: %s',
    async (wanted) => {
      const { answer, shown } = await run(wilful(wanted), { format: price });
      // The space that joins it to "Answer:" is not shown, as in other answers.
      expect(answer).toMatchObject({ text: wanted.trimStart(), finishReason: 'stop' });
      expect(shown.join('')).toBe(answer.text);
      expect(answer.tokenIds).toEqual([...Buffer.from(wanted)]);
    },
  );

  test('ends with the JSON: no step for the end of the text, and nothing behind it', async () => {
    const { model, calls } = scriptedModel('{"item":"tea","price":3} and more');
    const { answer } = await run(model, { format: price });
    expect(answer).toMatchObject({ text: '{"item":"tea","price":3}', finishReason: 'stop' });
    expect(calls.steps.length).toBe(answer.text.length - 1);
  });

  test('does not end before it is whole, though the model wants to', async () => {
    const { answer } = await run(scriptedModel('').model, { format: price });
    const { item, price: number } = JSON.parse(answer.text);
    expect(typeof item).toBe('string');
    expect(number).toBeGreaterThanOrEqual(1);
  });

  test('where it may go on, the model says when it ends', async () => {
    const format: AnswerFormat = { type: 'json_schema', schema: { type: 'integer' } };
    expect((await run(scriptedModel('12').model, { format })).answer).toMatchObject({
      text: '12',
      finishReason: 'stop',
    });
  });

  test('cut by maxTokens says so', async () => {
    const { answer } = await run(wilful('{"item":"tea","price":3}'), { format: price, maxTokens: 12 });
    expect(answer).toMatchObject({ text: '{"item":"tea', finishReason: 'length' });
  });

  test('complete with the last token that it may have is complete', async () => {
    const wanted = '{"item":"tea","price":3}';
    const { answer } = await run(wilful(wanted), { format: price, maxTokens: wanted.length });
    expect(answer).toMatchObject({ text: wanted, finishReason: 'stop' });
  });

  test('keeps its strings as they are, spaces before full stops too', async () => {
    const format: AnswerFormat = { type: 'json_schema', schema: { enum: ['a . b', "x n't"] } };
    expect(JSON.parse((await run(wilful('"a'), { format })).answer.text)).toBe('a . b');
  });

  test('json_object is an object with whatever the model likes', async () => {
    const wanted = '{"a": [1, -2.5e3, true, null, {"b\\n": ""}], "é": "日本🙂"}';
    const { answer } = await run(wilful(wanted), { format: { type: 'json_object' } });
    expect(answer).toMatchObject({ text: wanted, finishReason: 'stop' });
    expect((await run(wilful('[1]'), { format: { type: 'json_object' } })).answer.text).toMatch(/^\{/);
  });
});

describe('what is refused', () => {
  test('a stop string beside a format', async () => {
    const error = await rejected(run(scriptedModel('').model, { format: price, stop: 'x' }));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain('give stop or format, not both');
  });

  test('a format of another type', async () => {
    const format = { type: 'yaml' } as unknown as AnswerFormat;
    expect((await rejected(run(scriptedModel('').model, { format }))).message).toContain('got "yaml"');
  });
});
