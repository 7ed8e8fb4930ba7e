/** Which argument of `ask` is the image, and which arguments are refused. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAskArguments } from '../../src/cli/ask-arguments.ts';

let folder: string;
let before: string;
beforeAll(() => {
  before = process.cwd();
  folder = mkdtempSync(path.join(os.tmpdir(), 'ask-'));
  process.chdir(folder);
  for (const name of ['a.png', 'b.png', 'my photo.png']) writeFileSync(name, '');
  mkdirSync('test');
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const read = (...args: string[]) => readAskArguments(args, false);

describe('the image', () => {
  it.each([
    [['a.png', 'q'], 'a.png', ['q']],
    [['a.png', 'p', 'q'], 'a.png', ['p', 'q']],
    [['missing.png', 'q'], 'missing.png', ['q']],
    [['-', 'q'], '-', ['q']],
    [['data:image/png;base64,AAAA', 'q'], 'data:image/png;base64,AAAA', ['q']],
    [['a.png', 'test'], 'a.png', ['test']],
    [['a.png', 'x'.repeat(5000)], 'a.png', ['x'.repeat(5000)]],
  ])('of %j is the first argument', (args, image, questions) => {
    expect(read(...args)).toEqual({ image, questions, notices: [] });
  });

  it.each([
    [['What is this?', 'a.png'], ['What is this?']],
    [
      ['p', 'a.png', 'q'],
      ['p', 'q'],
    ],
  ])('of %j is found in another position', (args, questions) => {
    const found = read(...args);
    expect(found).toMatchObject({ image: 'a.png', questions });
    expect(found.notices).toEqual(['a.png is the image; it usually comes first.']);
  });
});

it.each([
  [
    ['a.png', 'b.png', 'What is the total?'],
    'The model sees one image at a time, but a.png and b.png are images. To ask about each: `cogvlm2 batch a.png b.png --question "What is the total?" -o -`.',
  ],
  [['a.png', 'my photo.png'], /one image at a time, but a\.png and "my photo\.png" are images/],
  [['-', 'a.png', 'q'], /Both - and a\.png are images/],
  [['a.png'], /A question is needed/],
  [[], /An image and a question are needed/],
  [['a.png', ' '], /The question is empty/],
])('%j is refused', (args, sentence) => {
  expect(() => read(...args)).toThrow(sentence);
});

it('--text refuses an image, and makes every argument a question', () => {
  expect(() => readAskArguments(['a.png'], true)).toThrow(
    /a\.png is a file, not a question: leave out --text/,
  );
  expect(readAskArguments(['p', 'q'], true)).toEqual({ image: null, questions: ['p', 'q'], notices: [] });
});

describe('typographic quotes', () => {
  it.each([
    [['a.png', '“What', 'is', 'this?”'], ['What is this?']],
    [
      ['a.png', '„Was', 'ist', 'das?“', 'q'],
      ['Was ist das?', 'q'],
    ],
    [['a.png', '«Qu’est-ce', 'que', 'c’est ?»'], ['Qu’est-ce que c’est ?']],
    [['a.png', '「这是', '什么？」'], ['这是 什么？']],
  ])('around several arguments join them, with a notice: %j', (args, questions) => {
    const found = read(...args);
    expect(found.questions).toEqual(questions);
    expect(found.notices).toEqual([
      expect.stringMatching(/^typographic quotes do not join words in a shell/),
    ]);
  });

  it('within one argument, or without an end, are kept', () => {
    expect(read('a.png', '“What is this?”').questions).toEqual(['“What is this?”']);
    expect(read('a.png', '“What', 'is').questions).toEqual(['“What', 'is']);
  });
});

it('a question without quotes gives a notice', () => {
  expect(read('a.png', 'What', 'is', 'this?').notices).toEqual([
    'these are 3 questions of one word each; quotes make them one question.',
  ]);
  expect(read('a.png', '总计', '日期', '店名').notices).toEqual([]);
});
