import { describe, expect, test } from 'vitest';
import { logprobsOf } from '../../src/generate/logprobs.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { rejected } from '../checkpoint/caught.ts';
import { run, scriptedModel } from './scripted.ts';

const bytes: Pick<Tokenizer, 'bytesOf'> = { bytesOf: (id) => Uint8Array.of(id) };

describe('the log-probability of a token', () => {
  const logits = Float32Array.from([1, 3, 2, 3, -1]);
  const total = Math.log(Math.exp(1) + 2 * Math.exp(3) + Math.exp(2) + Math.exp(-1));

  test('is the logarithm of the softmax of all logits', () => {
    expect(logprobsOf(logits, 2, 0, bytes)).toMatchObject({ id: 2, bytes: [2], top: [] });
    expect(logprobsOf(logits, 2, 0, bytes).logprob).toBeCloseTo(2 - total, 6);
    const all = Array.from(logits, (_, id) => Math.exp(logprobsOf(logits, id, 0, bytes).logprob));
    expect(all.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 6);
  });

  test('comes with the most likely tokens; of equal ones, the lower id is first', () => {
    expect(logprobsOf(logits, 4, 3, bytes).top.map(({ id }) => id)).toEqual([1, 3, 2]);
    expect(logprobsOf(logits, 4, 20, bytes).top.map(({ id }) => id)).toEqual([1, 3, 2, 0, 4]);
  });

  test('is finite for logits that would overflow, and is never above 0', () => {
    const large = Float32Array.from([3e38, 0]);
    expect(logprobsOf(large, 0, 1, bytes).logprob).toBe(0);
  });

  test('has the bytes if the text is only a part of a character', () => {
    expect(logprobsOf(new Float32Array(256), 0xe6, 0, bytes)).toMatchObject({
      text: '\uFFFD',
      bytes: [0xe6],
    });
  });
});

describe('an answer with log-probabilities', () => {
  test('has one for each token, together with the text that the token completes', async () => {
    const { answer, events } = await run(scriptedModel('née').model, { logprobs: 2 });
    expect(answer.logprobs?.map(({ id }) => id)).toEqual(answer.tokenIds);
    expect(Buffer.from(answer.logprobs!.flatMap((token) => token.bytes)).toString()).toBe('née');
    const told = events.flatMap((event) => (event.type === 'text' ? [event] : []));
    expect(told.map(({ text, logprobs }) => [text, logprobs?.length])).toEqual([
      ['n', 1],
      ['é', 2],
      ['e', 1],
    ]);
    expect(told.flatMap(({ logprobs }) => logprobs)).toEqual(answer.logprobs);
  });

  test('has the probabilities of the model, before penalties, temperature and format', async () => {
    const logits = () => Float32Array.from({ length: 256 }, (_, id) => (id === 0x41 ? 5 : 0));
    const { answer } = await run(scriptedModel('', logits).model, {
      logprobs: 1,
      maxTokens: 1,
      temperature: 3,
      repetitionPenalty: 2,
      format: { type: 'json_schema', schema: { const: 7 } },
    });
    const [token] = answer.logprobs!;
    expect(token?.top[0]?.id).toBe(0x41);
    expect(token?.logprob).toBeCloseTo(-Math.log(Math.exp(5) + 255), 5);
  });

  test('has none if they were not requested', async () => {
    const { answer, events } = await run(scriptedModel('x').model);
    expect(answer).not.toHaveProperty('logprobs');
    expect(events.some((event) => 'logprobs' in event)).toBe(false);
  });

  test.each([-1, 21, 1.5, Number.NaN])('%d alternatives are refused', async (logprobs) => {
    const error = await rejected(run(scriptedModel('x').model, { logprobs }));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain(`from 0 to 20; got ${logprobs}`);
  });
});
