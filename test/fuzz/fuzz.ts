/** Fuzzes one format. Each mutation is used like a user's file. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { type FormatName, openFormat } from './formats.ts';
import { Random } from './random.ts';
import { type Outcome, Runner } from './runner.ts';

export interface Finding {
  change: string;
  outcome: Outcome;
}

export interface FuzzReport {
  format: FormatName;
  seed: number;
  mutations: number;
  /** Number of each result. */
  results: Record<string, number>;
  /** Crashes, hangs and unexpected errors, one example of each kind. */
  findings: Finding[];
  /** The longest block of the event loop in the process that used the files. */
  maxDelayMs: number;
}

export interface FuzzOptions {
  folder: string;
  seed: number;
  /** The limits of a run. The first one that is reached ends it. */
  mutations: number;
  seconds: number;
  /** Called after each mutation. */
  onProgress?: (report: FuzzReport) => void;
}

export async function fuzz(
  format: FormatName,
  { folder, seed, mutations, seconds, onProgress }: FuzzOptions,
): Promise<FuzzReport> {
  using runner = new Runner();
  const random = new Random(seed);
  const source = await openFormat(format, folder);
  const deadline = performance.now() + seconds * 1_000;
  const report: FuzzReport = { format, seed, mutations: 0, results: {}, findings: [], maxDelayMs: 0 };
  const known = new Set<string>();
  while (report.mutations < mutations && performance.now() < deadline) {
    const { path: file, change } = source.mutate(random);
    const outcome = await runner.run({ kind: source.kind, path: file, parallel: random.chance(0.5) });
    report.mutations++;
    report.results[outcome.result] = (report.results[outcome.result] ?? 0) + 1;
    report.maxDelayMs = Math.max(report.maxDelayMs, outcome.delayMs);
    onProgress?.(report);
    if (!/^(?:unexpected|crash|hang|memory)/.test(outcome.result)) continue;
    const kind = `${outcome.result} ${outcome.message.replaceAll(/\d+/g, 'N').slice(0, 80)}`;
    if (known.has(kind)) continue;
    known.add(kind);
    report.findings.push({ change, outcome });
    cpSync(file, path.join(folder, 'findings', `${format}-${seed}-${report.mutations}`), { recursive: true });
  }
  return report;
}
