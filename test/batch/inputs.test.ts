/** What a person names, and what is found there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSources } from '../../src/batch/find-sources.ts';
import { globExpression, globRoot } from '../../src/batch/glob.ts';
import { parsePages } from '../../src/batch/page-list.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'inputs-'));
  mkdirSync(at('deep/er'), { recursive: true });
  mkdirSync(at('empty'));
  mkdirSync(at('.hidden'));
  for (const name of ['b.PNG', 'a.jpg', 'deep/er/c.pdf', 'notes.txt', '.d.png', '.hidden/e.png'])
    writeFileSync(at(name), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const names = (...inputs: string[]) =>
  findSources(inputs, ['q']).sources.map(({ input }) => path.relative(folder, input));

describe('inputs', () => {
  it('of a folder are its pictures and PDFs, also further down, in order; others are counted', () => {
    expect(names(folder)).toEqual(['a.jpg', 'b.PNG', 'deep/er/c.pdf']);
    expect(findSources([folder], ['q']).otherFiles).toBe(1);
  });

  it('of a pattern are what matches, each file once', () => {
    expect(names(at('*.jpg'), at('a.jpg'), at('**/c.*'))).toEqual(['a.jpg', 'deep/er/c.pdf']);
  });

  it.each([
    ['none', /There is no file or folder ".*none"/],
    ['*.gif', /No file matches/],
    ['empty', /There is no PNG, JPEG, WebP or PDF file in/],
  ])('%s is refused', (name, sentence) => {
    expect(() => names(at(name))).toThrow(sentence);
  });

  it('without a question are refused', () => {
    expect(() => findSources([folder], [])).toThrow(/A question is needed/);
  });
});

describe('rows', () => {
  const found = (text: string | Buffer, questions: string[] = []) => {
    writeFileSync(at('tasks.jsonl'), text);
    return findSources([at('tasks.jsonl')], questions).sources;
  };

  it('have their own question and id, or those of the command line and their place', async () => {
    const sources = found(
      [
        '{"id": 7, "picture": "a.jpg", "question": "first?", "more": 1}',
        '',
        '{"image": "/x/c.pdf", "page": 2, "questions": ["one?", "two?"]}',
        '{"picture": "data:image/png;base64,AAAA"}',
      ].join('\n'),
      ['asked?'],
    );
    expect(sources).toMatchObject([
      { id: '7', input: at('a.jpg'), location: { path: at('a.jpg') }, questions: ['first?'], page: null },
      { id: `${at('tasks.jsonl')}:3`, location: { path: '/x/c.pdf' }, questions: ['one?', 'two?'], page: 2 },
      { input: 'data:image/png;base64,AAAA…', questions: ['asked?'] },
    ]);
    const { location } = sources[2] as { location: { dataUrl(): Promise<string> } };
    expect(await location.dataUrl()).toBe('data:image/png;base64,AAAA');
  });

  it.each([
    ['oops', 'the line is not JSON'],
    ['[1]', 'the row'],
    ['{"picture": "a.jpg"}', 'the row has no question, and neither has --question'],
    ['{"question": "q"}', 'the row needs one of picture, image'],
    ['{"picture": "a", "image": "b", "question": "q"}', 'the row needs one of picture, image'],
    ['{"picture": "a", "question": " "}', "the row's question is empty"],
    ['{"picture": "a", "question": "q", "page": 0}', "the row's page"],
  ])('%s is a broken one, and the others are read', (line, problem) => {
    const sources = found(`${line}\n{"id": "x", "picture": "a.jpg", "question": "q"}\n`);
    expect(sources).toMatchObject([{ problem: expect.stringContaining(problem) }, { id: 'x' }]);
  });

  it.each(['\n', ''])('in another encoding are refused, the last line %j included', (end) => {
    const row = '{"picture": "a.jpg", "question": "où?"}';
    expect(() => found(Buffer.from(`\n${row}${end}`, 'latin1'))).toThrow(
      /^Line 2 of \S+tasks\.jsonl is not UTF-8/,
    );
  });

  it('with the same id are not asked twice', () => {
    const row = '{"id": "x", "picture": "a.jpg", "question": "q"}\n';
    expect(found(row + row)).toMatchObject([
      { id: 'x' },
      { problem: 'the id "x" is that of an earlier row' },
    ]);
  });
});

it.each([
  ['*.png', ['a.png', 'ä.png'], ['.a.png', 'b/a.png', 'a.pngx']],
  ['a?.{png,jp*g}', ['ab.png', 'a1.jpeg'], ['a.png', 'abc.png', 'ab.gif']],
  ['scan[0-9][!a]/x+(1).png', ['scan1b/x+(1).png'], ['scan1a/x+(1).png', 'scan/x+(1).png']],
  ['**/c.png', ['c.png', 'a/b/c.png'], ['.a/c.png', 'ac.png']],
  ['a/**', ['a/b', 'a/b/c.png'], ['b/a', 'a/.b']],
])('the pattern %s', (pattern, matching, others) => {
  for (const name of matching) expect(globExpression(pattern).test(name), name).toBe(true);
  for (const name of others) expect(globExpression(pattern).test(name), name).toBe(false);
});

it('a walk begins in the folder before the first pattern', () => {
  expect(['a/b/*.png', '*.png', '/*.png', '/x/{y,z}/a'].map(globRoot)).toEqual(['a/b', '.', '/', '/x']);
});

it('pages are numbers and ranges', () => {
  const wanted = (list: string) => [1, 2, 3, 4, 5, 99].filter(parsePages(list));
  expect(wanted('1,3-4')).toEqual([1, 3, 4]);
  expect(wanted('4-, 2')).toEqual([2, 4, 5, 99]);
  for (const wrong of ['', '0', '3-1', 'a', '1,,2', '-3'])
    expect(() => parsePages(wrong), wrong).toThrow(/--pages is/);
});
