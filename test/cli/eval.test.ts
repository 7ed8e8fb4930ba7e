import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { cli } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

const file = 'test/fixtures/eval/docvqa.json';

test('eval score --json prints one id and score per line, equal to the fixture', async () => {
  const { exitCode, out, err } = await cli(
    ['eval', 'score', 'docvqa', file, '--json'],
    scriptedLibrary().library,
  );
  expect(exitCode).toBe(0);
  expect(err).toBe('profile: official\n');
  const cases: { id: string }[] = JSON.parse(readFileSync(file, 'utf8'));
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ id }) => id)).toEqual(cases.map(({ id }) => id));
});

test.each([
  [['eval', 'rum', 'docvqa', file], /rum/],
  [['eval', 'run', 'dockvqa', file], /did you mean docvqa/],
  [['eval', 'run', 'docvqa'], /needs its data/],
  [['eval', 'run', 'docvqa', file, '--shard', '5/4'], /there are 4 parts/],
  [['eval', 'run', 'docvqa', file, '--api-model', 'm'], /--endpoint URL/],
  [['eval', 'run', 'docvqa', file, '--judge-model', 'm'], /--judge URL/],
  [['eval', 'score', 'dockvqa', file], /docvqa/],
  [['eval', 'score', 'docvqa', file, '--name', 'mine'], /give --output FILE/],
  [['eval', 'score', 'docvqa', file, '--profile', 'mine'], /vlmevalkit-2024/],
])('%j is refused, and the message has the possible values', async (argv, sentence) => {
  const { exitCode, err } = await cli(argv, scriptedLibrary().library);
  expect(exitCode).toBe(2);
  expect(err).toMatch(sentence);
});

test('eval export writes the answers, and reports questions without an answer', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'export-'));
  const [rows, output] = ['rows.jsonl', 'out.json'].map((name) => path.join(folder, name)) as [
    string,
    string,
  ];
  writeFileSync(rows, '{"questionId": 1, "prediction": "itc"}\n{"questionId": 2, "error": "refused"}\n');
  const { exitCode, out, err } = await cli(
    ['eval', 'export', 'docvqa', rows, '--output', output],
    scriptedLibrary().library,
  );
  expect(out).toBe(`1 answers in ${output}.\n`);
  expect(err).toContain(`1 questions have no answer and are not in ${output}. Run the same`);
  expect(exitCode).toBe(8);
  expect(JSON.parse(readFileSync(output, 'utf8'))).toEqual([{ questionId: 1, answer: 'itc' }]);
  rmSync(folder, { recursive: true });
});
