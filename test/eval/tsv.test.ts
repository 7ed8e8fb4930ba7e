/** Cells as pandas reads them: the recorded ones, and rules of the page that has no case for them. */
import { expect, test } from 'vitest';
import { tsvRows } from '../../src/eval/tsv/table.ts';
import { readCases } from './cases.ts';

function columnsOf(text: string, size = text.length): Record<string, (string | null)[]> {
  const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
    text.slice(i * size, (i + 1) * size),
  );
  const rows = [...tsvRows(() => chunks)];
  return Object.fromEntries(Object.keys(rows[0] ?? {}).map((name) => [name, rows.map((row) => row[name]!)]));
}

test.each(readCases('tsv_cells'))('$id: $note', ({ tsv, expected }) => {
  expect(columnsOf(tsv)).toEqual(expected);
  expect(columnsOf(tsv, 1)).toEqual(expected);
});

const column = (...cells: string[]) => columnsOf(`a\tb\n${cells.map((cell) => `${cell}\tx\n`).join('')}`).a;

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
])('a column of %j is read as %j', (cells, expected) => {
  expect(column(...cells)).toEqual(expected);
});

test('line ends, empty lines, short rows and names that come twice', () => {
  expect(columnsOf('a\tb\ta\r\n\r\n1\tx\r\n"2\r\n"\ty\tz')).toEqual({
    a: ['1', '2\r\n'],
    b: ['x', 'y'],
    'a.1': [null, 'z'],
  });
});

test('a row with more cells than names', () => {
  expect(() => columnsOf('a\n1\t2\n')).toThrow('row 2 has 2 cells; the first row names 1');
});
