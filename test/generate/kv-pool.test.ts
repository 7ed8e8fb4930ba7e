import { expect, test } from 'vitest';
import { commonPrefix } from '../../src/generate/kv-pool.ts';
import { buildPrompt } from '../../src/text/prompt.ts';
import { byteTokenizer } from './scripted.ts';

const prompt = (query: string, imageTokenCount = 0) =>
  buildPrompt(byteTokenizer, { template: 'base', query, imageTokenCount, bosId: 1, padId: 0 });
const cached = (query: string, imageTokenCount = 0, imageKey: string | null = null) => ({
  ids: [...prompt(query, imageTokenCount).ids],
  imageKey,
});
const empty = { ids: [], imageKey: null };

test.each([
  ['an empty cache', empty, prompt('abc'), null, 0],
  ['the same prompt, whose last row is run again', cached('abc'), prompt('abc'), null, 3],
  ['a longer prompt', cached('abc'), prompt('abcdef'), null, 4],
  ['a shorter prompt', cached('abcdef'), prompt('abc'), null, 3],
  ['a prompt with another continuation', cached('abcdef'), prompt('abxdef'), null, 3],
  ['nothing but bos in common', cached('abc'), prompt('xyz'), null, 1],
  ['the same image', cached('abc', 6, 'p'), prompt('abxy', 6), 'p', 9],
  ['the same image with new text', cached('abc', 6, 'p'), prompt('xyz', 6), 'p', 7],
  ['another image of the same length', cached('abc', 6, 'p'), prompt('abc', 6), 'q', 1],
  ['an image instead of text', cached('abc'), prompt('abc', 6), 'p', 1],
  ['text instead of an image', cached('abc', 6, 'p'), prompt('abc'), null, 1],
  ['text with the ids of image rows', cached('\0\0\0\0\0\0abc'), prompt('abc', 6), 'p', 1],
  [
    'an image of which the cache has only a part',
    { ids: [1, 0, 0], imageKey: 'p' },
    prompt('abc', 6),
    'p',
    1,
  ],
] as const)('%s', (_, rows, next, imageKey, wanted) => {
  const held = { ids: [...rows.ids], imageKey: rows.imageKey, adapter: '' };
  expect(commonPrefix(held, { prompt: next, imageKey, adapter: '' })).toBe(wanted);
  // Another adapter does not even share bos.
  expect(commonPrefix(held, { prompt: next, imageKey, adapter: 'other' })).toBe(0);
});
