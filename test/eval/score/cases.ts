/** The recorded case files: predictions, and the results of the reference scorers. */
import { readFileSync } from 'node:fs';
import type { Benchmark, Profile } from '../../../src/eval/benchmarks.ts';
import { parseJsonAsPython } from '../../../src/eval/python/parse.ts';
import { choices, idOf, isRow, prediction, type Row, text } from '../../../src/eval/row.ts';
import { optionPrompt } from '../../../src/eval/score/judge-prompts.ts';
import {
  meanHits,
  mmbenchRow,
  mmbenchTableRow,
  scoreCircular,
  scoreRotations,
} from '../../../src/eval/score/mmbench.ts';
import { type Graded, judgeRow, readJudge, sumCapabilities } from '../../../src/eval/score/mmvet.ts';
import { scoreRows } from '../../../src/eval/score/summary.ts';

// biome-ignore lint/suspicious/noExplicitAny: the case files differ from benchmark to benchmark
export type Case = Record<string, any>;

export function readText(name: string): string {
  return readFileSync(new URL(`../../fixtures/eval/${name}.json`, import.meta.url), 'utf8');
}

export function readCases(name: string): Case[] {
  return JSON.parse(readText(name)) as Case[];
}

/** The result of a recorded case that is not a question; undefined for a question. */
function scoreOther(benchmark: Benchmark, row: Row, profile: Profile): unknown {
  const rows = (value: unknown) => (value as unknown[]).filter(isRow);
  if (benchmark === 'mmvet') {
    if (Array.isArray(row.items)) return { score: sumCapabilities(rows(row.items).map(graded), profile) };
    if (row.kind === 'prompt') {
      return { score: judgeRow(text(row, 'question'), text(row, 'answer'), prediction(row)) };
    }
    if (Array.isArray(row.replies)) return { score: readJudge(row.replies.map(String), profile).score };
  }
  if (benchmark !== 'mmbench') return undefined;
  if (typeof row.kind === 'string' && row.kind.includes('prompt')) {
    return { score: optionPrompt(text(row, 'question'), choices(row), prediction(row)) };
  }
  if (!Array.isArray(row.rows)) return undefined;
  if (row.kind !== 'dataset') return scoreCircular(rows(row.rows).map(mmbenchRow), profile);
  const questions = scoreRotations(rows(row.rows).map(mmbenchTableRow), profile);
  const split = questions.find(({ split }) => split !== undefined)?.split;
  return {
    score: { ...(split !== undefined && { split }), ...meanHits(questions) },
    parsed: Object.fromEntries(questions.map(({ index, score }) => [index, score])),
  };
}

export function scoreCases(benchmark: Benchmark, profile: Profile) {
  const cases = (parseJsonAsPython(readText(benchmark)) as unknown[]).filter(isRow);
  const others = new Map(cases.map((row) => [row, scoreOther(benchmark, row, profile)]));
  const questions = cases.filter((row) => others.get(row) === undefined && row.kind !== 'aggregate');
  const { rows, summary } = scoreRows(benchmark, questions, profile);
  // biome-ignore lint/suspicious/noExplicitAny: a number of a question, a text or a table of the others
  const byId = new Map<unknown, any>(rows.map((row) => [row.id, row]));
  for (const [row, result] of others) if (result !== undefined) byId.set(idOf(row), result);
  return { byId, summary, rows };
}

function graded(row: Row): Graded {
  const capability = row.category ?? row.capability;
  const names = Array.isArray(capability) ? capability.join(',') : text(row, 'category', 'capability');
  const { score } = readJudge([text(row, 'score')], 'vlmevalkit');
  return { category: names, score: score! };
}
