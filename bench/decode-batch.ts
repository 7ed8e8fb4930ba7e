/**
 * Measures decode steps of 1, 2, 4 … sequences in one batch, without images and prompts.
 *
 *     npx tsx bench/decode-batch.ts MODEL [--sequences 1,2,4,8,16] [--past 64] [--steps 8] [--threads N]
 *
 * Each sequence has `--past` tokens in its cache. Prints the fastest step for each number of sequences, then one JSON line.
 */
import { parseArgs } from 'node:util';
import { promptOf } from '../src/bench/stages.ts';
import { CpuWatch } from '../src/bench/timing.ts';
import { openCheckpoint } from '../src/checkpoint/checkpoint.ts';
import { Model } from '../src/model/cogvlm2.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sequences: { type: 'string', default: '1,2,4,8,16' },
    past: { type: 'string', default: '64' },
    steps: { type: 'string', default: '8' },
    threads: { type: 'string' },
  },
});
const [file = ''] = positionals;
const [past, steps] = [Number(flags.past), Number(flags.steps)];
using model = await Model.load(openCheckpoint(file), {
  device: 'cpu',
  ...(flags.threads !== undefined && { threads: Number(flags.threads) }),
});
const prompt = promptOf(Array<number>(past).fill(0), (row) => 300 + row);
const counts = flags.sequences.split(',').map(Number);
const caches = Array.from({ length: Math.max(...counts) }, () =>
  model.newCache(past + counts.length * (steps + 1)),
);
for (const cache of caches) await model.prefill(prompt, cache, { image: null });
const results: Record<string, number | null>[] = [];
for (const count of counts) {
  const taken = caches.slice(0, count);
  const step = (id: number) => model.decode(taken.map((cache) => ({ id, position: cache.length, cache })));
  await step(300);
  let bestMs = Number.POSITIVE_INFINITY;
  const watch = new CpuWatch();
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    await step(301 + i);
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  const tokensPerSecond = (1000 * count) / bestMs;
  const gain = tokensPerSecond / (results[0]?.tokensPerSecond ?? tokensPerSecond);
  results.push({ sequences: count, bestMs, tokensPerSecond, gain, others: watch.othersShare() });
  console.log(
    `${count} sequences: ${bestMs.toFixed(1)} ms per step, ${tokensPerSecond.toFixed(1)} tokens/s, ${gain.toFixed(2)} times the rate of one`,
  );
}
console.log(
  JSON.stringify({ bench: 'decode-batch', model: file, past, threads: model.engine.threads, results }),
);
