/** The file layouts of the benchmarks. Each is written here, and all have the same image. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Benchmark } from '../../../src/eval/benchmarks.ts';
import { DataSet } from '../../../src/eval/data/data-set.ts';

const png = readFileSync(new URL('../../fixtures/images/tiny.png', import.meta.url));
const base64 = png.toString('base64');

function folderOf(files: Record<string, string | Buffer>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'data-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

/** All questions. An image is "the image", or the reason why it cannot be read. */
async function read(benchmark: Benchmark, data: string | string[], subset?: string) {
  await using set = await DataSet.open(benchmark, [data].flat(), subset);
  const found = [];
  for await (const question of set.questions(set.plan.questions)) {
    if ('error' in question) {
      found.push(question);
      continue;
    }
    const { id, row, imageCount } = question;
    const images = [];
    for (let i = 0; i < imageCount; i++) {
      const bytes = await question.image(i).catch((error: Error) => error.message);
      images.push(bytes instanceof Uint8Array ? (png.equals(bytes) ? 'the image' : 'another') : bytes);
    }
    found.push({ id, row, images });
  }
  return { found, broken: set.plan.broken };
}

const tsv = (...rows: (string | number)[][]) => rows.map((row) => `${row.join('\t')}\n`).join('');

test("VLMEvalKit's TSV: images as base64, as a list of base64, as the index of another row, missing and wrong ones", async () => {
  const file = path.join(
    folderOf({
      'MMBench.tsv': tsv(
        ['index', 'question', 'A', 'B', 'answer', 'image'],
        [1, 'whole', 'x', 'y', 'A', base64],
        [2, 'list', 'x', 'y', 'A', `['${base64}', '${base64}']`],
        [1_000_001, 'refers', 'x', 'y', 'A', 1],
        [1_000_002, 'refers to nothing', 'x', 'y', 'A', 77],
        [5, 'no base64', 'x', 'y', 'A', `${'?'.repeat(70)}`],
        [6, '', 'x', 'y', 'A', base64],
        [7, 'none', 'x', 'y', 'A', ''],
        [8, 'too', 'many', 'cells', 'in', 'this', 'row'],
      ),
    }),
    'MMBench.tsv',
  );
  const { found, broken } = await read('mmbench', file);
  expect(found.map((one) => ('images' in one ? [one.id, ...one.images] : one))).toEqual([
    ['1', 'the image'],
    ['2', 'the image', 'the image'],
    ['1000001', 'the image'],
    ['1000002', expect.stringContaining('no row with the index 77')],
    ['5', expect.stringContaining('not base64')],
    ['7'],
  ]);
  expect(broken).toEqual([
    { id: '6', rowNumber: 5, error: 'has no question' },
    { id: 'row 8', rowNumber: 7, error: 'has 7 cells; the first row names 6' },
  ]);
  expect(found[0]).toMatchObject({ row: { index: '1', A: 'x' } });
  expect(found[0]).not.toHaveProperty('row.image');
});

test('the official files: the list of TextVQA, the halves of ChartQA, the ids of MM-Vet, the list of OCRBench', async () => {
  const textvqa = folderOf({
    'TextVQA_0.5.1_val.json': JSON.stringify({
      dataset_type: 'val',
      data: [{ question_id: 34602, question: 'what?', image_id: '0a', answers: ['x'] }],
    }),
    'train_images/0a.jpg': png,
  });
  expect((await read('textvqa', textvqa)).found).toMatchObject([{ id: '34602', images: ['the image'] }]);
  const chartqa = folderOf({
    'test/test_human.json': JSON.stringify([{ imgname: 'a.png', query: 'how many?', label: '3' }]),
    'test/test_augmented.json': JSON.stringify([{ imgname: 'b.png', query: 'what?', label: '4' }]),
    'test/annotations/a.json': '{}',
    'test/png/a.png': png,
  });
  expect((await read('chartqa', chartqa)).found).toMatchObject([
    {
      id: 'row 1',
      row: { question: 'what?', split: 'test_augmented' },
      images: [expect.stringContaining('no image b.png')],
    },
    { id: 'row 2', row: { question: 'how many?', split: 'test_human' }, images: ['the image'] },
  ]);
  const mmvet = folderOf({
    'mm-vet.json': JSON.stringify({
      v1_0: { imagename: 'v1_0.png', question: 'q', answer: 'a', capability: ['rec', 'ocr'] },
    }),
    'bard_set.json': '["v1_0"]',
    'images/v1_0.png': png,
  });
  expect((await read('mmvet', mmvet, 'ocr')).found).toMatchObject([{ id: 'v1_0', images: ['the image'] }]);
  const ocrbench = folderOf({
    'OCRBench.json': JSON.stringify([
      {
        dataset_name: 'IIIT5K',
        id: '0',
        image_path: 'IIIT5K/1.png',
        question: 'q',
        answers: 'x',
        type: 'Regular Text Recognition',
      },
    ]),
    'OCRBench_Images/IIIT5K/1.png': png,
  });
  expect((await read('ocrbench', ocrbench)).found).toMatchObject([{ id: '0', images: ['the image'] }]);
});

test('JSON lines: a path, base64, a data URL; bad lines are named; an id may occur twice', async () => {
  const file = path.join(
    folderOf({
      'mine.jsonl': [
        JSON.stringify({ id: 'a', question: 'q', answers: ['x'], picture: 'pictures/p.png' }),
        JSON.stringify({ id: 'b', question: 'line\u2028separator', answer: 4.5, image: base64 }),
        '{"id": "c", "quest',
        '7',
        JSON.stringify({ id: 'b', question: 'q', image: `data:image/png;base64,${base64}` }),
        '',
      ].join('\n'),
      'pictures/p.png': png,
    }),
    'mine.jsonl',
  );
  const { found, broken } = await read('docvqa', file);
  expect(found.map((one) => ('images' in one ? [one.id, ...one.images] : one))).toEqual([
    ['a', 'the image'],
    ['b', 'the image'],
    ['b#2', 'the image'],
  ]);
  expect(broken.map(({ id, error }) => [id, error])).toEqual([
    ['row 3', 'is not JSON'],
    ['row 4', 'is not a JSON object'],
  ]);
});

// Written with pyarrow's defaults, two rows for each row group: struct {bytes, path}, list<string>, int64, double.
const parquet = new URL('../../fixtures/eval/data/', import.meta.url).pathname;

test("Hugging Face's parquet: a struct of bytes, lists, numbers, several row groups, several files", async () => {
  const { found } = await read('docvqa', path.join(parquet, 'docvqa'));
  expect(found.map((one) => ('images' in one ? [one.id, one.row.answers, ...one.images] : one))).toEqual([
    ['1', ['a', 'b'], 'the image'],
    ['2', ['c'], 'the image'],
    ['3', [], 'the image'],
    ['4', ['d'], 'the image'],
  ]);
  const mmmu = await read('mmmu', path.join(parquet, 'mmmu.parquet'), 'Art_Theory');
  expect(mmmu.found).toMatchObject([
    {
      id: 'validation_Art_Theory_12',
      row: { options: "['1', '2']", category: 'Art_Theory', split: 'validation' },
      images: ['the image', 'the image'],
    },
  ]);
  const m4 = await read('chartqa', path.join(parquet, 'chartqa.parquet'));
  expect(m4.found).toMatchObject([
    { row: { question: 'how many?', label: ['4'], split: 'human' } },
    { row: { question: 'what?', label: ['x'], split: 'augmented' } },
  ]);
});

test('a hint or an option with the text "nan" is missing', async () => {
  const row = {
    index: 1,
    question: 'nan',
    hint: 'nan',
    A: 'x',
    B: 'y',
    C: 'nan',
    answer: 'A',
    image: base64,
  };
  const folder = folderOf({ 'MMBench.json': JSON.stringify([row]) });
  const { found } = await read('mmbench', folder);
  expect(found).toMatchObject([{ row: { question: 'nan', A: 'x', B: 'y' } }]);
  expect(found[0]).not.toHaveProperty('row.C');
  expect(found[0]).not.toHaveProperty('row.hint');
});

test('a file without data and a folder with several kinds of data are refused, and the message lists what was found', async () => {
  const folder = folderOf({
    'train.tsv': 'a\tb\n',
    'val.tsv': 'a\tb\n',
    'notes.txt': 'words',
    'whole.json': '{"a": 1}',
    'half.parquet': 'PAR1xxxx',
  });
  await expect(read('docvqa', '/nowhere')).rejects.toMatchObject({ code: 'file_not_found' });
  await expect(read('docvqa', folder)).rejects.toThrow(/several kinds: .*train.tsv, val.tsv/);
  await expect(read('docvqa', path.join(folder, 'notes.txt'))).rejects.toThrow(/is not a data file: TSV/);
  await expect(read('docvqa', path.join(folder, 'whole.json'))).rejects.toThrow(/has no rows/);
  await expect(read('docvqa', path.join(folder, 'half.parquet'))).rejects.toThrow(/not a valid parquet file/);
  const open = folderOf({ 'open.tsv': 'index\tquestion\n1\tx\n' });
  await expect(read('docvqa', path.join(open, 'open.tsv'), 'valid')).rejects.toThrow(
    /No question belongs to "valid"/,
  );
});
