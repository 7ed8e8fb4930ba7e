/** The recorded case files: predictions, and what the reference scorers gave for them. */
import { readFileSync } from 'node:fs';
import type { Benchmark, Profile } from '../../src/eval/benchmarks.ts';
import { parseJsonAsPython } from '../../src/eval/python/json.ts';
import { scoreRows } from '../../src/eval/score-file.ts';

// biome-ignore lint/suspicious/noExplicitAny: the case files differ from benchmark to benchmark
export type Case = Record<string, any>;

export function readText(name: string): string {
  return readFileSync(new URL(`../fixtures/eval/${name}.json`, import.meta.url), 'utf8');
}

export function readCases(name: string): Case[] {
  return JSON.parse(readText(name)) as Case[];
}

export function scoreCases(benchmark: Benchmark, profile: Profile) {
  const { rows, summary } = scoreRows(
    benchmark,
    parseJsonAsPython(readText(benchmark)) as unknown[],
    profile,
  );
  return { byId: new Map(rows.map((row) => [row.id, row])), summary };
}
