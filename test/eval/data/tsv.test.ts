/** Cells as pandas reads them: the recorded cases, and rules without a recorded case. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { TsvTable } from '../../../src/eval/data/tsv.ts';
import { readCases } from '../score/cases.ts';

const file = path.join(mkdtempSync(path.join(tmpdir(), 'tsv-')), 'table.tsv');

/** Read in chunks of this size, so that every special character is once at the end of a chunk. */
async function columnsOf(text: string, chunkBytes?: number): Promise<Record<string, (string | null)[]>> {
  writeFileSync(file, text);
  await using table = await TsvTable.open(file, chunkBytes);
  const rows = await Promise.all(Array.from({ length: table.rowCount }, (_, i) => table.row(i)));
  const whole = rows.filter((row) => typeof row !== 'string');
  return Object.fromEntries(table.names.map((name) => [name, whole.map((row) => row[name]!)]));
}

test.each(readCases('tsv_cells'))('$id: $note', async ({ tsv, expected }) => {
  expect(await columnsOf(tsv)).toEqual(expected);
  expect(await columnsOf(tsv, 1)).toEqual(expected);
});

const column = async (...cells: string[]) =>
  (await columnsOf(`a\tb\n${cells.map((cell) => `${cell}\tx\n`).join('')}`)).a;

test.each([
  [
    ['010', '7'],
    ['10', '7'],
  ],
  [
    ['5', ''],
    ['5.0', null],
  ],
  [
    ['5', 'none'],
    ['5', 'none'],
  ],
  [
    ['Null', 'null', '<NA>', '#N/A'],
    ['Null', null, null, null],
  ],
  [
    ['+5', '-0'],
    ['5', '0'],
  ],
  [
    ['.5', '5.'],
    ['0.5', '5.0'],
  ],
  [
    ['-inf', 'Infinity'],
    ['-inf', 'inf'],
  ],
  [
    ['1_000', '2'],
    ['1_000', '2'],
  ],
  [['１０'], ['１０']],
  [
    ['true', 'FALSE'],
    ['True', 'False'],
  ],
  [
    ['true', '1'],
    ['true', '1'],
  ],
  [['18446744073709551615'], ['18446744073709551615']],
  [
    ['"NA"', '"a\tb"'],
    [null, 'a\tb'],
  ],
  [
    ['"a"b"', 'x'],
    ['ab"', 'x'],
  ],
])('a column of %j is read as %j', async (cells, expected) => {
  expect(await column(...cells)).toEqual(expected);
});

test('line ends, empty lines, short rows and duplicate names', async () => {
  expect(await columnsOf('a\tb\ta\r\n\r\n1\tx\r\n"2\r\n"\ty\tz')).toEqual({
    a: ['1', '2\r\n'],
    b: ['x', 'y'],
    'a.1': [null, 'z'],
  });
});

test('a row with more cells than names is reported, and the others are read', async () => {
  writeFileSync(file, 'a\n1\t2\n3\n');
  await using table = await TsvTable.open(file);
  expect([await table.row(0), await table.row(1)]).toEqual([
    'has 2 cells; the first row names 1',
    { a: '3' },
  ]);
});

test('a byte order mark before a quote, quotes inside a cell, lines of spaces', async () => {
  const text = '\uFEFF"a\tb"\tc\n   \nx"y\t"1\n""2"""\n';
  const expected = { 'a\tb': ['x"y'], c: ['1\n"2"'] };
  expect(await columnsOf(text)).toEqual(expected);
  expect(await columnsOf(text, 1)).toEqual(expected);
});

test('a row is found by its index as pandas reads it', async () => {
  writeFileSync(file, 'index\timage\n007\tlong\n8\t7\n');
  await using table = await TsvTable.open(file);
  expect(table.rowWithIndex('7')).toBe(0);
  expect(table.rowWithIndex('9')).toBeUndefined();
});

test('a table may have more columns than a function takes arguments', async () => {
  writeFileSync(file, 'a\t'.repeat(300_000));
  await using table = await TsvTable.open(file);
  expect(table.names.at(-2)).toBe('a.299999');
});

test('a quoted cell may be as long as an image', async () => {
  const long = 'A'.repeat(16 * 2 ** 20);
  const { image, answer } = await columnsOf(`image\tanswer\n"${long}"\t"a ""b"""\n`);
  expect(image?.[0] === long).toBe(true);
  expect(answer).toEqual(['a "b"']);
});
