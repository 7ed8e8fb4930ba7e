/** Expected values are worked out by hand from the published descriptions of the formulas; docs/eval.md lists the sources. */
import { expect, test } from 'vitest';
import { imageFormulaOf, textTokens } from '../../../src/eval/run/token-estimate.ts';

test('four letters are a token, and a Chinese character is a token', () => {
  expect(textTokens('')).toBe(0);
  expect(textTokens('What is it?!')).toBe(3);
  expect(textTokens('总计多少')).toBe(4);
  expect(textTokens('总计: 12.50')).toBe(2 + 2);
});

test.each([
  // 1024 x 1024 becomes 768 x 768: 2 x 2 tiles.
  ['gpt-4-turbo', 1024, 1024, 765],
  // 2048 x 4096 becomes 1024 x 2048, then 768 x 1536: 2 x 3 tiles.
  ['gpt-4-turbo', 2048, 4096, 1105],
  ['a-new-model', 300, 300, 255],
  // 1000 x 1000 / 750
  ['claude-3-opus-20240229', 1000, 1000, 1334],
  ['claude-3-opus-20240229', 5000, 5000, 1600],
  ['gemini-1.5-pro', 384, 384, 258],
  ['gemini-1.5-pro', 960, 540, 2 * 258],
  // 28 x 28 patches: 36 x 36 tokens and two special tokens.
  ['qwen-vl-plus', 1000, 1000, 1280 + 2],
  ['qwen-vl-plus', 280, 560, 200 + 2],
  ['llava-hf/llava-1.5-13b-hf', 1000, 10, 576],
  ['YanweiLi/MGM-34B', 700, 700, 576],
  // 2 x 2 tiles of 336 and the thumbnail.
  ['llava-hf/llama3-llava-next-8b-hf', 1000, 1000, 2880],
  // 1 x 3 tiles and the thumbnail.
  ['llava-hf/llava-next-110b-hf', 300, 1000, 576 * 4],
  ['OpenGVLab/InternVL-Chat-V1-5', 448, 448, 256],
  // 3 x 2 tiles and the thumbnail.
  ['OpenGVLab/InternVL-Chat-V1-5', 1200, 800, 256 * 7],
])('%s counts %d x %d as %d', (model, width, height, tokens) => {
  expect(imageFormulaOf(model).tokens(width, height)).toBe(tokens);
});
