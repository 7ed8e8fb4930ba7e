/**
 * Measures many clients of one model: tokens per second of all clients together, time to the first token, and how evenly the
 * clients are served. Each client sends one question after the other. All clients use the same image; with --own, each has its own.
 *
 *     npx tsx bench/batching.ts [MODEL] [--clients 1,4,8,16] [--questions N] [--tokens N] [--threads N] [--image-size N] [--own]
 *
 * Prints a table, then one JSON line. A model with random weights from bench/random-checkpoint.ts is as fast as a trained one. For
 * 8 of the 32 layers, write it with --layers 8 --tower-layers 1 --image-size 112 --type int4.
 */
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { CogVLM2 } from '../src/index.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '1,4,8,16' },
    questions: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '32' },
    threads: { type: 'string' },
    'image-size': { type: 'string' },
    own: { type: 'boolean', default: false },
  },
});
const [questions, maxTokens] = [Number(flags.questions), Number(flags.tokens)];
const counts = flags.clients.split(',').map(Number);
const most = Math.max(...counts);

/** An image of noise, so that each client has a different one. */
const noiseImage = (seed: number) =>
  sharp({
    create: {
      width: 64,
      height: 64,
      channels: 3,
      background: '#888',
      noise: { type: 'gaussian', mean: 100 + seed, sigma: 30 },
    },
  })
    .png()
    .toBuffer();

/** The images are made once, because the noise is different each time. */
const shared = await noiseImage(0);

interface Served {
  tokens: number;
  firstTokenMs: number[];
  /** Longest time between two tokens. */
  longestGapMs: number;
}

async function client(model: CogVLM2, number: number): Promise<Served> {
  const served: Served = { tokens: 0, firstTokenMs: [], longestGapMs: 0 };
  const image = flags.own ? await noiseImage(number) : shared;
  for (let i = 0; i < questions; i++) {
    // Sampled with a seed, because greedy answers of random weights repeat tokens or stop.
    const options = { maxTokens, temperature: 1, seed: number * 100 + i, client: `client ${number}` };
    const { usage, timings } = await model
      .ask(image, `What is in image ${number}? Question ${i}.`, options)
      .result();
    served.tokens += usage.completionTokens;
    served.firstTokenMs.push(timings.firstTokenMs);
    served.longestGapMs = Math.max(served.longestGapMs, ...timings.perTokenMs);
  }
  return served;
}

const results: Record<string, number>[] = [];
for (const clients of counts) {
  // A new model each time, so that nothing is cached from the previous run.
  using model = await CogVLM2.load({
    parallel: most,
    contextSize: 512,
    kvTokens: most * 512,
    ...(positionals[0] !== undefined && { model: positionals[0] }),
    ...(flags.threads !== undefined && { threads: Number(flags.threads) }),
    ...(flags['image-size'] !== undefined && { imageSize: Number(flags['image-size']) }),
  });
  // The first answer also reads the weights from disk.
  await model.ask(null, 'Are you there?', { maxTokens: 4 }).result();
  const before = model.stats();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const served = await Promise.all(Array.from({ length: clients }, (_, number) => client(model, number + 1)));
  const seconds = (performance.now() - startedAt) / 1000;
  const { decodeSteps } = model.stats();
  const { user, system } = process.cpuUsage(cpuBefore);
  const firstTokens = served.flatMap(({ firstTokenMs }) => firstTokenMs).sort((a, b) => a - b);
  const tokens = served.map((one) => one.tokens);
  const sum = tokens.reduce((a, b) => a + b, 0);
  results.push({
    clients,
    tokensPerSecond: sum / seconds,
    // CPU time is more reliable than wall-clock time if other programs use the cores.
    tokensPerCpuSecond: (sum / (user + system)) * 1e6,
    firstTokenMedianMs: firstTokens[Math.floor(firstTokens.length / 2)] ?? 0,
    firstTokenLongestMs: firstTokens.at(-1) ?? 0,
    longestGapMs: Math.max(...served.map(({ longestGapMs }) => longestGapMs)),
    leastOfMostTokens: Math.min(...tokens) / Math.max(...tokens),
    rowsPerStep: sum / (decodeSteps - before.decodeSteps),
    threads: model.info.threads,
  });
}

const [single] = results;
console.log(
  'clients  tokens/s  of one  tokens/CPU s  of one  first token: median, longest  longest gap  tokens a step',
);
for (const row of results) {
  const cells = [
    String(row.clients).padStart(7),
    row.tokensPerSecond!.toFixed(1).padStart(9),
    `${(row.tokensPerSecond! / single!.tokensPerSecond!).toFixed(2)}x`.padStart(7),
    row.tokensPerCpuSecond!.toFixed(1).padStart(13),
    `${(row.tokensPerCpuSecond! / single!.tokensPerCpuSecond!).toFixed(2)}x`.padStart(7),
    `${row.firstTokenMedianMs!.toFixed(0)} ms, ${row.firstTokenLongestMs!.toFixed(0)} ms`.padStart(29),
    `${row.longestGapMs!.toFixed(0)} ms`.padStart(12),
    row.rowsPerStep!.toFixed(1).padStart(14),
  ];
  console.log(cells.join(' '));
}
console.log(
  JSON.stringify({ bench: 'batching', model: positionals[0] ?? 'demo', maxTokens, questions, results }),
);
