/** The inputs of a batch, and the sources that are found. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageTasks, parsePages } from '../../src/batch/image-tasks.ts';
import { findSources } from '../../src/batch/sources.ts';
import { readImageSource } from '../../src/image/source.ts';

const lfsPointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
const tinyPng = readFileSync('test/fixtures/images/tiny.png');

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

describe('findSources', () => {
  it('finds images and PDFs of a folder and its subfolders, in order, and counts other files', () => {
    expect(names(folder)).toEqual(['a.jpg', 'b.PNG', 'deep/er/c.pdf']);
    expect(findSources([folder], ['q']).otherFiles).toBe(1);
  });

  it('finds the files that match a pattern, each file once', () => {
    expect(names(at('*.jpg'), at('a.jpg'), at('**/c.*'))).toEqual(['a.jpg', 'deep/er/c.pdf']);
  });

  it.each([
    ['none', /There is no file or folder ".*none"/],
    ['*.gif', /No file matches/],
    ['empty', /There is no image or PDF file in/],
  ])('%s is refused', (name, sentence) => {
    expect(() => names(at(name))).toThrow(sentence);
  });

  it('refuses inputs without a question', () => {
    expect(() => findSources([folder], [])).toThrow(/A question is needed/);
  });
});

describe('rows', () => {
  const found = (text: string | Buffer, questions: string[] = []) => {
    writeFileSync(at('tasks.jsonl'), text);
    return findSources([at('tasks.jsonl')], questions).sources;
  };

  it('have their own question and id, or the question of the command line and their position', async () => {
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
      { idJson: '7', input: at('a.jpg'), location: { path: at('a.jpg') }, questions: ['first?'], page: null },
      {
        idJson: JSON.stringify(`${at('tasks.jsonl')}:3`),
        location: { path: '/x/c.pdf' },
        questions: ['one?', 'two?'],
        page: 2,
      },
      { input: 'data:image/png;base64,AAAA…', questions: ['asked?'] },
    ]);
    const { location } = sources[2] as { location: { dataUrl(): Promise<string> } };
    expect(await location.dataUrl()).toBe('data:image/png;base64,AAAA');
  });

  it.each([
    ['oops', 'the line is not JSON'],
    ['[1]', 'the row'],
    ['{"picture": "a.jpg"}', 'the row has no question, and there is no --question'],
    ['{"question": "q"}', 'the row needs either image (or picture) or video'],
    ['{"video": "a", "image": "b", "question": "q"}', 'the row needs either image (or picture) or video'],
    ['{"picture": "a", "image": "b", "question": "q"}', 'the row needs either image (or picture) or video'],
    ['{"picture": "a", "question": " "}', "the row's question is empty"],
    ['{"picture": "a", "question": "q", "page": 0}', "the row's page"],
  ])('%s is a broken row, and the others are read', (line, problem) => {
    const sources = found(`${line}\n{"id": "x", "picture": "a.jpg", "question": "q"}\n`);
    expect(sources).toMatchObject([{ problem: expect.stringContaining(problem) }, { idJson: '"x"' }]);
  });

  it.each(['\n', ''])('are refused in another encoding, also in the last line, which ends with %j', (end) => {
    const row = '{"picture": "a.jpg", "question": "où?"}';
    expect(() => found(Buffer.from(`\n${row}${end}`, 'latin1'))).toThrow(
      /^Line 2 of \S+tasks\.jsonl is not UTF-8/,
    );
  });

  it('keep all digits of a number as id, and 7 is not "7"', () => {
    const ids = [
      '738529527931269425',
      '738529527931269426',
      '9007199254740993',
      '9007199254740992',
      '7',
      '"7"',
      '1.0',
      '1',
    ];
    const sources = found(ids.map((id) => `{"x": {"id": 5}, "id": ${id}, "image": "a.jpg"}`).join('\n'), [
      'q',
    ]);
    expect(sources.map(({ idJson }) => idJson)).toEqual(ids);
    expect(sources.filter((source) => 'problem' in source)).toEqual([]);
  });

  it('may have a byte order mark, CRLF, and null for fields that are absent', async () => {
    const rows = [
      '\ufeff{"id": "a", "picture": "a.jpg", "image": null, "page": null, "question": "p", "questions": null}',
      '{"id": null, "image": "data:image/png;base64,AAAA", "question": null}',
      '',
    ];
    const sources = found(rows.join('\r\n'), ['q']);
    expect(sources).toMatchObject([
      { idJson: '"a"', questions: ['p'] },
      { idJson: JSON.stringify(`${at('tasks.jsonl')}:2`), questions: ['q'] },
    ]);
    const [first] = found('\ufeff{"image": "data:image/png;base64,AAAA"}\r\n', ['q']);
    const { location } = first as { location: { dataUrl(): Promise<string> } };
    expect(await location.dataUrl()).toBe('data:image/png;base64,AAAA');
  });

  it('are refused if the file is a Git LFS pointer', () => {
    expect(() => found(lfsPointer, ['q'])).toThrow(
      /tasks\.jsonl is a Git LFS pointer to a file of 12,345 bytes/,
    );
  });

  it('are asked once if they have the same id', () => {
    const row = '{"id": "x", "picture": "a.jpg", "question": "q"}\n';
    expect(found(row + row)).toMatchObject([
      { idJson: '"x"' },
      { problem: 'an earlier row has the same id, "x"' },
    ]);
  });
});

it.each([
  ['*.png', ['a.png', 'ä.png'], ['.a.png', 'b/a.png', 'a.pngx']],
  ['a?.{png,jp*g}', ['ab.png', 'a1.jpeg'], ['a.png', 'abc.png', 'ab.gif']],
  ['scan[0-9][!a]/x-1.png', ['scan1b/x-1.png'], ['scan1a/x-1.png', 'scan/x-1.png']],
  ['**/c.png', ['c.png', 'a/b/c.png'], ['.a/c.png', 'ac.png']],
  ['a/**', ['a/b', 'a/b/c.png'], ['b/a', 'a/.b']],
])('the pattern %s', (pattern, matching, others) => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'glob-'));
  try {
    // A name may be a folder in one case and a file in another, so each name has its own test.
    const finds = (name: string) => {
      rmSync(root, { recursive: true });
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), '');
      writeFileSync(path.join(root, 'zzz'), '');
      const inputs = [path.join(root, pattern), path.join(root, 'zzz')];
      try {
        return findSources(inputs, ['q']).sources.some(({ input }) => input === path.join(root, name));
      } catch (error) {
        if (String(error).includes('No file matches')) return false;
        throw error;
      }
    };
    for (const name of matching) expect(finds(name), name).toBe(true);
    for (const name of others) expect(finds(name), name).toBe(false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

it.runIf(process.platform === 'linux')(
  'names that are not UTF-8 remain different, and can be opened',
  async () => {
    const root = mkdtempSync(path.join(os.tmpdir(), 'names-'));
    try {
      for (const byte of [0xe9, 0xe8]) {
        const name = Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(byte), Buffer.from('.png')]);
        writeFileSync(name, tinyPng);
      }
      const inputs = findSources([root], ['q']).sources.map(({ input }) => input);
      expect(inputs.map((input) => path.basename(input))).toEqual(['caf\udce8.png', 'caf\udce9.png']);
      expect(inputs.map((input) => JSON.parse(JSON.stringify(input)))).toEqual(inputs);
      for (const input of inputs) expect(Buffer.from(await readImageSource(input))).toEqual(tinyPng);
      expect(findSources(inputs, ['q']).sources.map(({ input }) => input)).toEqual(inputs);
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

it.runIf(process.platform !== 'win32')(
  'a pipe or a device is refused at once, also in a folder',
  async () => {
    const root = mkdtempSync(path.join(os.tmpdir(), 'fifo-'));
    const signal = new AbortController().signal;
    try {
      execFileSync('mkfifo', [path.join(root, 'a.png'), path.join(root, 'rows.jsonl')]);
      const tasks = [];
      const { sources } = findSources([root, '/dev/zero'], ['q']);
      const options = { done: { has: () => false, pageCountOf: () => undefined }, wantsPage: () => true };
      for await (const task of imageTasks(sources, { ...options, wantsBytes: true, signal, onSource() {} }))
        tasks.push(task.image);
      expect(tasks).toMatchObject([
        { code: 'file_not_found', message: expect.stringMatching(/a\.png" is a pipe or a device/) },
        { code: 'file_not_found', message: expect.stringMatching(/zero" is a pipe or a device/) },
      ]);
      expect(() => findSources([path.join(root, 'rows.jsonl')], ['q'])).toThrow(
        /rows\.jsonl cannot be read: it is a pipe/,
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

it('pages are numbers and ranges', () => {
  const wanted = (list: string) => [1, 2, 3, 4, 5, 99].filter(parsePages(list));
  expect(wanted('1,3-4')).toEqual([1, 3, 4]);
  expect(wanted('4-, 2')).toEqual([2, 4, 5, 99]);
  for (const wrong of ['', '0', '3-1', 'a', '1,,2', '-3'])
    expect(() => parsePages(wrong), wrong).toThrow(/--pages is/);
});
