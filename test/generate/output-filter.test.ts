import { expect, test } from 'vitest';
import { OutputFilter } from '../../src/generate/output-filter.ts';
import { PromptBuilder } from '../../src/generate/prepare-request.ts';
import type { AnswerEvent, GenerateOptions } from '../../src/generate/types.ts';
import { configOf, tinyConfig } from '../model/tiny-checkpoint.ts';
import { byteTokenizer } from './scripted.ts';

const config = configOf({ ...tinyConfig, vocab_size: 256 });

/** The output for a text, with one byte per token. */
function filter(text: string, options: GenerateOptions = {}) {
  const request = new PromptBuilder(config, byteTokenizer, 500).prepare(false, 'Why?', options);
  const events: AnswerEvent[] = [];
  const output = new OutputFilter(byteTokenizer, request, (event) => events.push(event));
  let stopped = false;
  for (const id of Buffer.from(text)) if (!stopped) stopped = output.push(id, new Float32Array(256));
  stopped = output.end() || stopped;
  const pieces = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
  return { output, events, pieces, stopped };
}

test('white space is removed only at the start', () => {
  expect(filter(' \n a b ').pieces.join('')).toBe('a b ');
  expect(filter(' a', { answerStart: 'It' }).output.text).toBe(' a');
  expect(filter(' a', { answerStart: 'It ' }).output.text).toBe('a');
});

test('characters are complete, and an incomplete one at the end becomes U+FFFD', () => {
  expect(filter('日a').pieces).toEqual(['日', 'a']);
  const { output } = filter('a');
  output.push(0xe6, new Float32Array(256));
  expect(output.end()).toBe(false);
  expect(output.text).toBe('a\ufffd');
});

test('a stop string ends the text, and text that may begin one is held back', () => {
  const { output, stopped, pieces } = filter('ab##c###d', { stop: '###' });
  expect([output.text, stopped, output.tokenIds.length]).toEqual(['ab##c', true, 8]);
  expect(pieces).toEqual(['a', 'b', '##c']);
  expect(filter('ab##', { stop: '###' })).toMatchObject({ stopped: false, output: { text: 'ab##' } });
});

test('log-probabilities come with the text of their tokens', () => {
  const { output, events } = filter('日a', { logprobs: 0 });
  const counts = events.map((event) => (event.type === 'text' ? event.logprobs?.length : null));
  expect(counts).toEqual([3, 1]);
  expect(output.logprobs).toHaveLength(4);
  expect(filter('a').output.logprobs).toBeUndefined();
});
