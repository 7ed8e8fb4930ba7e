/**
 * Fuzzes formats. Run by hand: `npx tsx test/fuzz/run.ts [--format NAME] [--mutations N] [--seconds N] [--seed N]`. The default is
 * 5,000 mutations of each format. Shows the progress. Files that fail are kept in the printed folder.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatDuration } from '../../src/cli/format.ts';
import { FORMATS, type FormatName } from './formats.ts';
import { type FuzzReport, fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    format: { type: 'string', multiple: true, default: Object.keys(FORMATS) },
    mutations: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-fuzz-'));
process.stdout.write(`seed ${values.seed}, files in ${folder}\n`);
const mutations = Number(values.mutations);
const progressEveryMs = 10_000;

/** Prints a line every ten seconds. */
function progress(format: string): (report: FuzzReport) => void {
  const startedAt = performance.now();
  let shownAt = startedAt;
  return ({ mutations: done, findings }) => {
    const now = performance.now();
    if (now - shownAt < progressEveryMs) return;
    shownAt = now;
    const rate = done / ((now - startedAt) / 1_000);
    const left = formatDuration(((mutations - done) / rate) * 1_000);
    process.stderr.write(
      `${format}: ${done} of ${mutations}, ${rate.toFixed(1)} per second, ${left} left, findings: ${findings.length}\n`,
    );
  };
}

for (const format of values.format) {
  const report = await fuzz(format as FormatName, {
    folder,
    seed: Number(values.seed),
    mutations,
    seconds: Number(values.seconds) / values.format.length,
    onProgress: progress(format),
  });
  process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
  if (report.findings.length > 0) process.exitCode = 1;
}
