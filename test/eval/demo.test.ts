/** A small demo benchmark with the demo model, from the TSV to the comparison. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { library } from '../../src/cli/library-calls.ts';
import { DataSet } from '../../src/eval/data/data-set.ts';
import { type Results, resultsSchema } from '../../src/eval/predictions/schema.ts';
import { demoGroups, scoreDemo } from '../../src/eval/score/score-row.ts';
import { cli } from '../cli/memory-terminal.ts';
import { demoFloorPercent } from './demo-floor.ts';

const data = fileURLToPath(new URL('../fixtures/eval/demo/demo.tsv', import.meta.url));
const demoModel = fileURLToPath(new URL('../../models/demo', import.meta.url));

test('the frozen questions have every group in both languages, and each has an image', async () => {
  await using set = await DataSet.open('demo', [data]);
  expect([set.plan.questions.length, set.plan.broken]).toEqual([204, []]);
  const groups = new Map<string, number>();
  for await (const question of set.questions(set.plan.questions)) {
    if ('error' in question) throw new Error(question.error);
    const bytes = await question.image(0);
    expect(Buffer.from(bytes.subarray(8, 12)).toString()).toBe('WEBP');
    const [group] = demoGroups(question.row);
    groups.set(group!, (groups.get(group!) ?? 0) + 1);
  }
  expect([...groups.values()]).toEqual(Array(12).fill(17));
});

test('an answer is right if it equals the drawn text, apart from outer white space', () => {
  expect(['$3.06', ' $3.06\n', '3.06', '$3.06.'].map((said) => scoreDemo(said, ['$3.06']))).toEqual([
    1, 1, 0, 0,
  ]);
});

describe.skipIf(!existsSync(demoModel))('with the model (needs models/demo)', () => {
  test('it answers, resumes, scores at least the minimum, and compares', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'demo-'));
    const output = path.join(folder, 'demo.jsonl');
    const run = (...more: string[]) =>
      cli(
        ['eval', 'run', 'demo', data, '--output', output, '--seed', '1', '--max-tokens', '24', '-q', ...more],
        library,
      );
    expect(await run('--limit', '3')).toMatchObject({ exitCode: 0, err: '' });
    const { exitCode, out } = await run('--parallel', '2');
    expect([exitCode, out]).toEqual([0, expect.stringContaining('204 questions, 0 undecided')]);
    const resultsFile = path.join(folder, 'demo.results.json');
    const results: Results = resultsSchema.parse(JSON.parse(readFileSync(resultsFile, 'utf8')));
    expect(results.settings?.model).toMatchObject({
      kind: 'checkpoint',
      types: { bf16: expect.any(Number) },
    });
    expect(results.rows.length).toBe(204);
    expect(results.score).toBeGreaterThanOrEqual(demoFloorPercent);
    const compared = await cli(['eval', 'compare', resultsFile, resultsFile, '--json'], library);
    expect(JSON.parse(compared.out).rows.at(-1)).toEqual({
      name: 'answers as the first',
      values: [100, 100],
    });
  });
});
