/** Predictions files: one JSON line for each row, or a summary. Broken rows are named, and the others are scored. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Benchmark, profiles, publishedBenchmarks } from '../../../src/eval/benchmarks.ts';
import { runEvalScore } from '../../../src/eval/score/score-file.ts';
import { readCases, readText } from './cases.ts';

async function run(
  benchmark: string,
  text: string | Buffer,
  options: { profile?: string; json?: boolean } = {},
) {
  const file = join(await mkdtemp(join(tmpdir(), 'eval-')), 'predictions.json');
  await writeFile(file, text);
  let out = '';
  const stdout = { write: (part: string) => (out += part) };
  const summary = await runEvalScore({ benchmark, file, ...options, stdout });
  const lines = () =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { summary, out, lines };
}

const everyPair = publishedBenchmarks.flatMap((benchmark) =>
  profiles.map((profile): [Benchmark, string] => [benchmark, profile]),
);

test.each(everyPair)('%s %s: one JSON line for each case, in order', async (benchmark, profile) => {
  const { lines } = await run(benchmark, readText(benchmark), { profile, json: true });
  expect(lines().map(({ id }) => id)).toEqual(readCases(benchmark).map(({ id }) => id));
  for (const line of lines()) {
    expect(Object.keys(line).filter((key) => key !== 'error')).toEqual(
      'parsed' in line ? ['id', 'score', 'parsed'] : ['id', 'score'],
    );
    if (benchmark === 'mmmu' || benchmark === 'mmbench') expect(line).toHaveProperty('parsed');
  }
});

test('a line contains no Unicode line terminator', async () => {
  const id = 'a\u2028b\u0085c\u2029';
  const { out, lines } = await run('demo', JSON.stringify([{ id, prediction: 'x', answers: ['x'] }]), {
    json: true,
  });
  expect(out).toBe('{"id":"a\\u2028b\\u0085c\\u2029","score":1}\n');
  expect(lines()).toEqual([{ id, score: 1 }]);
});

test('an undecided answer is null in its line and wrong in the summary', async () => {
  const rows = JSON.stringify([
    { id: 'a', prediction: 'B', options: ['1', '2'], answer: 'B' },
    { id: 'b', prediction: 'b', options: "['1', '2']", answer: 'B' },
  ]);
  expect((await run('mmmu', rows, { json: true })).lines()).toEqual([
    { id: 'a', score: 1, parsed: 'B' },
    { id: 'b', score: null, parsed: null },
  ]);
  expect((await run('mmmu', rows)).summary).toMatchObject({ score: 50, questions: 2, undecided: 1 });
});

test('the profile, the counts and the names of broken rows are printed', async () => {
  const { out, summary } = await run(
    'chartqa',
    '{"id": 1, "prediction": "10", "answer": "10", "split": "test_human"}\n{"id": 2, "answer": "3"}\n7\n' +
      '{"question_id": "q", "prediction": "", "answer": 4.0, "split": "test_augmented"}\n{"id": 5, "pred',
    { profile: 'vlmevalkit-2024' },
  );
  expect(out).toBe(
    'chartqa (vlmevalkit-2024)  50\n  test_human  100\n  test_augmented  0\n' +
      '2 questions, 0 undecided, 1 empty, 3 broken\n  2: has no prediction\n  row 3: is not a JSON object\n  row 5: is not JSON\n',
  );
  expect(summary).toMatchObject({ score: 50, questions: 2, empty: 1, broken: 3 });
});

test('the rotations of an MMBench question count once', async () => {
  const { rows, expected } = readCases('mmbench').find(({ kind }) => kind === 'dataset')!;
  const { summary, lines } = await run('mmbench', JSON.stringify(rows), { profile: 'vlmevalkit' });
  expect(summary).toMatchObject({ score: expected.Overall * 100, questions: 5, undecided: 0 });
  expect(summary.parts).toContainEqual({ name: 'FP-S', score: 50 });
  expect(() => lines()).toThrow();
});

test('a row of MMBench with an invalid index does not stop the others', async () => {
  const row = { A: 'x', B: 'y', prediction: 'A', answer: 'A' };
  const { summary } = await run(
    'mmbench',
    JSON.stringify([
      { ...row, index: 7 },
      { ...row, index: 'seven' },
    ]),
  );
  expect(summary).toMatchObject({ score: 100, questions: 1, broken: 1 });
});

test('a float option keeps its decimal point', async () => {
  const rows = '[{"id": 1, "prediction": "42", "choices": {"A": 42.0, "B": 7}, "answer": "A"}]';
  expect((await run('mmbench', rows, { json: true })).lines()).toEqual([{ id: 1, score: 0, parsed: null }]);
});

test('cells with list literals, and columns with NaN', async () => {
  const text = `[{"index": 5, "prediction": "itc", "answer": "['ITC', 'x']"}]`;
  expect((await run('docvqa', text, { json: true })).lines()).toEqual(
    [{ id: '5', score: 1 }].map((l) => ({ ...l, id: 5 })),
  );
  const open = '[{"id": 1, "prediction": "5", "A": NaN, "B": null, "answer": "5"}]';
  expect((await run('mmmu', open, { json: true })).lines()).toEqual([{ id: 1, score: 1, parsed: [5] }]);
});

test('MM-Vet without a judge: equal answers are right, other answers are undecided', async () => {
  const rows = JSON.stringify([
    { id: 'v1_0', prediction: 'Desk lamp.', answer: 'table lamp<OR>desk lamp', capability: ['rec'] },
    { id: 'v1_1', prediction: 'a lamp', answer: 'lamp', capability: ['ocr'] },
    { id: 'v1_2', prediction: 'x', answer: 'y', score: 0.4, capability: ['ocr', 'rec'] },
  ]);
  const { summary } = await run('mmvet', rows);
  expect(summary).toMatchObject({ undecided: 1, questions: 3, score: expect.closeTo(140 / 3, 9) });
  expect(summary.parts).toContainEqual({ name: 'ocr', score: 20 });
  expect(summary.parts.slice(6)).toEqual([
    { name: 'exactly rec', score: 100 },
    { name: 'exactly ocr', score: 0 },
    { name: 'exactly ocr+rec', score: 40 },
  ]);
});

test('a message says why a file cannot be read', async () => {
  await expect(run('textvqa', '[{]')).rejects.toMatchObject({ code: 'invalid_value' });
  await expect(run('textvqb', '[]')).rejects.toThrow(/textvqb is not known; one of textvqa/);
  await expect(run('textvqa', '[]', { profile: '2024' })).rejects.toThrow(/one of official/);
  const missing = { benchmark: 'mmmu', file: '/nowhere.json', stdout: { write: () => true } };
  await expect(runEvalScore(missing)).rejects.toMatchObject({ code: 'file_not_found' });
});

test.each([
  ['JSON lines', '{"id": 1, "prediction": "a", "answer": "a"}\n{"id": 2, "prediction": "é"}\n', 'Line 2 of '],
  [
    'the last of them',
    '{"id": 1, "prediction": "a", "answer": "a"}\n{"id": 2, "prediction": "é"}',
    'Line 2 of ',
  ],
  ['a list', '[\n{"id": 1, "prediction": "a"},\n{"id": 2, "prediction": "é"}]', 'Line 3 of '],
  ['an object', '{"data":\n[{"id": 1, "prediction": "é"}]}', 'Line 2 of '],
  ['TSV', 'index\tprediction\n1\ta\n2\té\n', 'The row at byte 21 of '],
  ['names of TSV', 'index\tprédiction\n1\ta\n', 'The row at byte 0 of '],
])('%s in Latin-1 is refused, with the position', async (_, text, place) => {
  await expect(run('docvqa', Buffer.from(text, 'latin1'))).rejects.toThrow(
    new RegExp(`^${place}\\S+predictions\\.json is not UTF-8: convert the file`),
  );
});

test('a lone surrogate is escaped, and half a character at the end is half a line', async () => {
  const text = '{"id": 1, "prediction": "\\ud800", "answers": ["\\ud800"]}\n{"id": 2, "prediction": "日"}';
  expect((await run('docvqa', Buffer.from(text).subarray(0, -3), { json: true })).lines()).toEqual([
    { id: 1, score: 1 },
    { id: 'row 2', score: null, error: 'is not JSON' },
  ]);
});

test.each(['[]', '{"data": []}', 'index\tprediction\n'])('%j has nothing to score', async (text) => {
  const nothing = /^There are no predictions in \S+predictions\.json: nothing to score/;
  await expect(run('docvqa', text)).rejects.toThrow(nothing);
  await expect(run('docvqa', text, { json: true })).rejects.toMatchObject({ code: 'invalid_value' });
});

test.each(['', ' \n', '\ufeff'])('a file with %j is reported as empty', async (text) => {
  await expect(run('docvqa', text)).rejects.toThrow(/predictions\.json is empty\.$/);
});

test("MMMU's output files and tables", async () => {
  const row = {
    id: 'x',
    question_type: 'multiple-choice',
    response: '(B)',
    all_choices: ['A', 'B'],
    answer: 'B',
  };
  const own = JSON.stringify([{ ...row, index2ans: { A: 'one', B: 'two' } }]);
  expect((await run('mmmu', own, { json: true })).lines()).toEqual([{ id: 'x', score: 1, parsed: 'B' }]);
  const table = "index\tanswer\tprediction\n1\t\"['ITC', 'x']\"\titc\n2\t7.0\tnan\n";
  const { summary } = await run('docvqa', table);
  expect(summary).toMatchObject({ questions: 2, empty: 1, score: 50 });
});

test('MMMU by domain and subject, which may be in the id', async () => {
  const row = { options: ['1', '2'], answer: 'B', prediction: 'B' };
  const rows = [
    { ...row, id: 'validation_Art_Theory_12' },
    { ...row, id: 'validation_Math_1', prediction: 'A' },
    { ...row, id: 3, category: 'Music', prediction: 'A' },
  ];
  expect((await run('mmmu', JSON.stringify(rows))).summary.parts).toEqual([
    { name: 'Art and Design', score: 50 },
    { name: 'Science', score: 0 },
    { name: 'Art_Theory', score: 100 },
    { name: 'Math', score: 0 },
    { name: 'Music', score: 0 },
  ]);
});

test('ids of every type, a byte order mark, Windows line ends', async () => {
  const ids = '[{"id": 7}, {"id": 7.5}, {"id": 1234567890123456}, {"id": "007"}, {"questionId": "q"}, {}, 3]';
  const row = (id: unknown) => ({ id, score: null, error: 'has no prediction' });
  expect((await run('docvqa', `\ufeff${ids}`, { json: true })).lines()).toEqual([
    ...[7, 7.5, 1234567890123456, '007', 'q', 'row 6'].map(row),
    { id: 'row 7', score: null, error: 'is not a JSON object' },
  ]);
  const lines =
    '\ufeff{"id": 1, "prediction": "a", "answer": "a"}\r\n\r\n{"id": 2, "prediction": "b", "answer": "a"}\r\n';
  expect((await run('docvqa', lines, { json: true })).lines()).toEqual([
    { id: 1, score: 1 },
    { id: 2, score: 0 },
  ]);
  expect(
    (await run('docvqa', '{"id": 1, "prediction": "a", "answer": "a"}', { json: true })).lines(),
  ).toEqual([{ id: 1, score: 1 }]);
});

test('every line of MMMU and MMBench has `parsed`, broken rows included', async () => {
  for (const benchmark of ['mmmu', 'mmbench']) {
    expect((await run(benchmark, '[{"id": 1}]', { json: true })).lines()).toEqual([
      { id: 1, score: null, parsed: null, error: expect.any(String) },
    ]);
  }
});

test('a prediction in JSON may be missing, a number or a list', async () => {
  const cells = ['null', 'NaN', '42.0', '42', 'true', "[1, 'a']".replaceAll("'", '"'), '{}'];
  const rows = cells.map(
    (cell, i) => `{"id": ${i}, "prediction": ${cell}, "answers": ["42.0", "True", "[1, 'a']"]}`,
  );
  const { lines, summary } = await run('ocrbench', `[${rows.join(',')}]`, { json: true });
  expect(lines().map(({ score }) => score)).toEqual([0, 0, 1, 0, 1, 1, null]);
  expect(summary).toMatchObject({ questions: 6, empty: 2, broken: 1 });
});

test('options may have any of their names', async () => {
  const row = { prediction: '(B)', answer: 'B' };
  const rows = [
    { options: ['x', 'y'] },
    { options: "['x', 'y']" },
    { choices: ['x', 'y'] },
    { choices: { A: 'x', B: 'y' } },
    { index2ans: { A: 'x', B: 'y' } },
    { A: 'x', B: 'y', C: null },
  ].map((options, id) => ({ id, ...row, ...options }));
  expect((await run('mmmu', JSON.stringify(rows), { json: true })).lines()).toEqual(
    rows.map(({ id }) => ({ id, score: 1, parsed: 'B' })),
  );
});

test('without an answer, OCRBench gives no point, and the other benchmarks report an error', async () => {
  for (const profile of profiles) {
    const scored = async (benchmark: string) =>
      (
        await run(benchmark, '[{"id": 1, "prediction": "a", "answers": []}]', { profile, json: true })
      ).lines()[0];
    expect(await scored('ocrbench')).toEqual({ id: 1, score: 0 });
    for (const benchmark of ['textvqa', 'docvqa', 'chartqa'])
      expect(await scored(benchmark)).toMatchObject({
        score: null,
        error: expect.stringContaining('0 answers'),
      });
  }
});
