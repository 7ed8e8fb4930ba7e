/** The files for the benchmarks' evaluation servers. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { exportAnswers } from '../../../src/eval/predictions/export.ts';
import { runEvalScore } from '../../../src/eval/score/score-file.ts';

async function exported(benchmark: string, rows: readonly object[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'export-'));
  const [file, output] = ['rows.jsonl', 'out'].map((name) => path.join(folder, name)) as [string, string];
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const counts = await exportAnswers(benchmark, file, output);
  return { ...counts, output, text: readFileSync(output, 'utf8') };
}

test.each([
  ['textvqa', 'question_id'],
  ['docvqa', 'questionId'],
])('%s: a list of %s and answer; failed questions are counted, not sent', async (benchmark, name) => {
  const { text, ...counts } = await exported(benchmark, [
    { id: '9', [name]: '9', prediction: 'nokia' },
    { id: '7', [name]: 7, prediction: '' },
    { id: '8', [name]: 8, error: 'refused' },
  ]);
  expect(JSON.parse(text)).toEqual([
    { [name]: 9, answer: 'nokia' },
    { [name]: 7, answer: '' },
  ]);
  expect(counts).toMatchObject({ answers: 2, missing: 1 });
  await expect(exported(benchmark, [{ id: 'x', prediction: 'a' }])).rejects.toThrow(
    `answer 1 has no ${name}`,
  );
});

test('mmmu: the letter if one is found, else the text', async () => {
  const { text } = await exported('mmmu', [
    { id: 'test_Art_1', options: "['x', 'y']", prediction: 'It is (B).' },
    { id: 'test_Art_2', options: "['x', 'y']", prediction: 'no idea' },
    { id: 'test_Math_3', question_type: 'open', options: '[]', prediction: 'x = 5' },
  ]);
  expect(JSON.parse(text)).toEqual({ test_Art_1: 'B', test_Art_2: 'no idea', test_Math_3: 'x = 5' });
});

test('mmbench: the table has the same cells when it is read again', async () => {
  const row = { index: 3, question: 'two\nlines, a\ttab and "quotes"', A: 'x', B: 'y', answer: 'B' };
  const { text, output } = await exported('mmbench', [
    { id: '3', ...row, prediction: 'B', run: { row: 0 }, image: 'AAAA' },
    { id: '4', ...row, index: 4, hint: 'h', prediction: '' },
  ]);
  expect(text.split('\n')[0]).toBe('index\tquestion\tA\tB\tanswer\thint\tprediction');
  const results = await runEvalScore({ benchmark: 'mmbench', file: output, stdout: { write: () => true } });
  expect(results).toMatchObject({ questions: 2, score: 50, empty: 1, broken: 0 });
  expect(results.rows[0]!.question).toBe(row.question);
  await expect(exported('mmbench', [{ id: '1', prediction: 'A' }])).rejects.toThrow('have no index');
});

test('a benchmark without an export format is refused', async () => {
  await expect(exported('chartqa', [])).rejects.toThrow(/no export format for chartqa, only for textvqa, /);
  await expect(exported('constructor', [])).rejects.toMatchObject({ code: 'invalid_value' });
});
