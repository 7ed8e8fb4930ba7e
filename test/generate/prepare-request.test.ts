import { expect, test } from 'vitest';
import { PromptBuilder } from '../../src/generate/prepare-request.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { configOf, tinyConfig } from '../model/tiny-checkpoint.ts';
import { byteTokenizer } from './scripted.ts';

const config = configOf({ ...tinyConfig, vocab_size: 256 });

function builder() {
  const encoded: string[] = [];
  const tokenizer = {
    ...byteTokenizer,
    encode(text: string) {
      encoded.push(text);
      return [...Buffer.from(text)];
    },
  } as unknown as Tokenizer;
  return { prompts: new PromptBuilder(config, tokenizer, 500), encoded };
}

test('a prompt that was checked is not tokenized again', () => {
  const { prompts, encoded } = builder();
  const history = [{ question: 'How many?', answer: 'Two.' }];
  const measured = prompts.prepare(true, 'And now?', { history });
  const asked = prompts.prepare(true, 'And now?', { history, maxTokens: 5, temperature: 1, seed: 3 });
  expect(encoded).toHaveLength(1);
  expect(asked.prompt).toBe(measured.prompt);
});

test.each<[string, Parameters<PromptBuilder['prepare']>]>([
  ['another question', [false, 'And then?', {}]],
  ['an image', [true, 'And now?', {}]],
  ['another template', [false, 'And now?', { template: 'vqa' }]],
  ['earlier turns', [false, 'And now?', { history: [{ question: 'a', answer: 'b' }] }]],
  ['the start of an answer', [false, 'And now?', { answerStart: 'It' }]],
])('another prompt is tokenized: %s', (_, other) => {
  const { prompts, encoded } = builder();
  const first = prompts.prepare(false, 'And now?', {});
  expect(prompts.prepare(...other).prompt).not.toBe(first.prompt);
  expect(encoded).toHaveLength(2);
});

test('only the latest prompts are kept', () => {
  const { prompts, encoded } = builder();
  for (let i = 0; i < 33; i++) prompts.prepare(false, `Question ${i}?`, {});
  prompts.prepare(false, 'Question 1?', {});
  expect(encoded).toHaveLength(33);
  prompts.prepare(false, 'Question 0?', {});
  expect(encoded).toHaveLength(34);
});

test('a model with the template base uses chat if there are earlier turns', () => {
  const template_version = 'base';
  const base = configOf(Object.assign({}, tinyConfig, { vocab_size: 256, template_version }));
  const prompts = new PromptBuilder(base, byteTokenizer as unknown as Tokenizer, 500);
  const history = [{ question: 'How many?', answer: 'Two.' }];
  expect(prompts.prepare(false, 'And now?', {}).prompt.text).toBe('And now?');
  const later = prompts.prepare(false, 'And now?', { history });
  expect(later.prompt.text).toBe('Question: How many? Answer: Two.\nQuestion: And now? Answer:');
  expect(() => prompts.prepare(false, 'And now?', { history, template: 'base' })).toThrow(/no earlier turns/);
});

test('a text that cannot fit into the context is refused before it is tokenized', async () => {
  const prompts = new PromptBuilder(config, byteTokenizer, 500);
  const text = 'a'.repeat(16 * 500);
  expect(() => prompts.prepare(false, text, {})).toThrow('at most 8000 could fit');
  await expect(prompts.prepareInBackground(false, text, {})).rejects.toThrow('at most 8000 could fit');
});
