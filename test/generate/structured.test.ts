import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import type { AnswerFormat } from '../../src/grammar/answer-grammar.ts';
import { rejected } from '../checkpoint/caught.ts';
import { run, scriptedModel } from './scripted.ts';

/** Answers with a format. The vocabulary of the scripted model is the 256 bytes, so only the mask gives the format. */

/** A model that prefers the script, and random bytes after it. */
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
    'is the text of the model if it fits: %s',
    async (wanted) => {
      const { answer, shown } = await run(wilful(wanted), { format: price });
      // The space after "Answer:" is not shown, as in other answers.
      expect(answer).toMatchObject({ text: wanted.trimStart(), finishReason: 'stop' });
      expect(shown.join('')).toBe(answer.text);
      expect(answer.tokenIds).toEqual([...Buffer.from(wanted)]);
    },
  );

  test('ends with the JSON, without a step for the end token', async () => {
    const { model, calls } = scriptedModel('{"item":"tea","price":3} and more');
    const { answer } = await run(model, { format: price });
    expect(answer).toMatchObject({ text: '{"item":"tea","price":3}', finishReason: 'stop' });
    expect(calls.steps.length).toBe(answer.text.length - 1);
  });

  test('does not end before it is complete, although the model prefers the end', async () => {
    const { answer } = await run(scriptedModel('').model, { format: price });
    const { item, price: number } = JSON.parse(answer.text);
    expect(typeof item).toBe('string');
    expect(number).toBeGreaterThanOrEqual(1);
  });

  test('ends by the end token if it may continue', async () => {
    const format: AnswerFormat = { type: 'json_schema', schema: { type: 'integer' } };
    expect((await run(scriptedModel('12').model, { format })).answer).toMatchObject({
      text: '12',
      finishReason: 'stop',
    });
  });

  test('has the finish reason length if maxTokens cuts it', async () => {
    const { answer } = await run(wilful('{"item":"tea","price":3}'), { format: price, maxTokens: 12 });
    expect(answer).toMatchObject({ text: '{"item":"tea', finishReason: 'length' });
  });

  test('is complete if the last allowed token completes it', async () => {
    const wanted = '{"item":"tea","price":3}';
    const { answer } = await run(wilful(wanted), { format: price, maxTokens: wanted.length });
    expect(answer).toMatchObject({ text: wanted, finishReason: 'stop' });
  });

  test('does not change its strings, also spaces before full stops', async () => {
    const format: AnswerFormat = { type: 'json_schema', schema: { enum: ['a . b', "x n't"] } };
    expect(JSON.parse((await run(wilful('"a'), { format })).answer.text)).toBe('a . b');
  });

  test('json_object is an object with any content', async () => {
    const wanted = '{"a": [1, -2.5e3, true, null, {"b\\n": ""}], "é": "日本🙂"}';
    const { answer } = await run(wilful(wanted), { format: { type: 'json_object' } });
    expect(answer).toMatchObject({ text: wanted, finishReason: 'stop' });
    expect((await run(wilful('[1]'), { format: { type: 'json_object' } })).answer.text).toMatch(/^\{/);
  });
});

describe('an answer with a regular expression or a list', () => {
  const choice: AnswerFormat = { type: 'choice', choices: ['yes', 'yes, but', 'no'] };

  test('is an entry of the list', async () => {
    expect((await run(wilful('no way'), { format: choice })).answer.text).toBe('no');
    expect((await run(wilful(' yes, but'), { format: choice })).answer.text).toBe('yes, but');
    expect(['yes', 'yes, but', 'no']).toContain(
      (await run(wilful('perhaps'), { format: choice })).answer.text,
    );
  });

  test('matches the expression from its start to its end', async () => {
    const format: AnswerFormat = { type: 'regex', pattern: '[A-Z]{2}-\\d{4}|none' };
    for (const wanted of ['AB-1234', ' none', 'ab-1', '"AB-1234"'])
      expect((await run(wilful(wanted), { format })).answer.text).toMatch(/^(?:[A-Z]{2}-\d{4}|none)$/);
  });

  test('keeps white space at the start if the format has it', async () => {
    const format: AnswerFormat = { type: 'regex', pattern: '\\s+x' };
    expect((await run(wilful('  x'), { format })).answer.text).toBe('  x');
    const spaced: AnswerFormat = { type: 'choice', choices: [' a', 'b'] };
    expect((await run(wilful(' a'), { format: spaced })).answer.text).toBe(' a');
  });

  test('may have quotes, line ends and characters above U+FFFF', async () => {
    const format: AnswerFormat = { type: 'regex', pattern: '"🙂\\n.[^a]"' };
    expect((await run(wilful('"🙂\nx🙂"'), { format })).answer.text).toBe('"🙂\nx🙂"');
  });

  test.each<[AnswerFormat, string]>([
    [{ type: 'regex', pattern: 'a(?=b)' }, 'The regular expression has a look-ahead or look-behind'],
    [{ type: 'regex', pattern: '' }, 'is empty'],
    [{ type: 'regex', pattern: '[ab]*a[ab]{300}' }, '400 states'],
    [{ type: 'choice', choices: [] }, 'The list of choices is empty'],
    [{ type: 'choice', choices: ['a', ''] }, 'has an empty text'],
  ])('%j is refused', async (format, part) => {
    const error = await rejected(run(scriptedModel('').model, { format }));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain(part);
  });
});

describe('an answer with a format and a stop string', () => {
  test('is cut by the stop string, and has its finish reason', async () => {
    const { answer } = await run(wilful('{"item":"tea","price":3}'), { format: price, stop: ',' });
    expect(answer).toMatchObject({ text: '{"item":"tea"', finishReason: 'stop', stopString: ',' });
  });

  test('is complete if the stop string does not occur', async () => {
    const { answer } = await run(wilful('{"item":"tea","price":3}'), { format: price, stop: '\n\n' });
    expect(answer).toMatchObject({
      text: '{"item":"tea","price":3}',
      finishReason: 'stop',
      stopString: null,
    });
  });
});

describe('an answer that is continued', () => {
  test('continues in the format', async () => {
    const { answer, prompt } = await run(wilful(':"tea","price":3}'), {
      format: price,
      answerStart: '{"item"',
    });
    expect(prompt.text).toBe('Question: How many? Answer: {"item"');
    expect(answer).toMatchObject({ text: ':"tea","price":3}', finishReason: 'stop' });
  });

  test('keeps the first space, unless the start already had it', async () => {
    const go = async (answerStart: string) =>
      (await run(wilful(' on and'), { answerStart, maxTokens: 7 })).answer.text;
    expect(await go('It goes')).toBe(' on and');
    expect(await go('It goes ')).toBe('on and');
    expect(await go('')).toBe('on and');
  });

  test('is refused if the format cannot begin with it, and by the template base', async () => {
    const wrong = await rejected(run(scriptedModel('').model, { format: price, answerStart: 'The item' }));
    expect(wrong).toMatchObject({ code: 'invalid_value' });
    expect(wrong.message).toContain('begin with "The item"');
    const base = await rejected(run(scriptedModel('').model, { template: 'base', answerStart: 'The' }));
    expect(base.message).toContain('no start of an answer');
  });
});

test('a format of another type is refused', async () => {
  const format = { type: 'yaml' } as unknown as AnswerFormat;
  expect((await rejected(run(scriptedModel('').model, { format }))).message).toContain('got "yaml"');
});
