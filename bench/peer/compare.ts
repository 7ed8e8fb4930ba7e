/** Measures prompt and answer with both models of `write-models.ts`, in turns; see README.md. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promptOf } from '../../src/bench/stages.ts';
import { CpuWatch } from '../../src/bench/timing.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/model/cogvlm2.ts';

const [folder = '', peer = '', threadsText = '2', roundsText = '2', device = 'cpu'] = process.argv.slice(2);
const threads = Number(threadsText);
const [promptTokens, answerTokens] = [512, 32];

/** Wall-clock and CPU seconds of both stages. */
type Times = Record<'prompt' | 'answer', { wallS: number; cpuS: number; others: number | null }>;

async function timed(work: () => Promise<unknown>): Promise<Times['prompt']> {
  const [start, cpu, watch] = [performance.now(), process.cpuUsage(), new CpuWatch()];
  await work();
  const used = process.cpuUsage(cpu);
  return {
    wallS: (performance.now() - start) / 1000,
    cpuS: (used.user + used.system) / 1e6,
    others: watch.othersShare(),
  };
}

async function ours(): Promise<Times> {
  using model = await Model.load(openCheckpoint(path.join(folder, 'ours.gguf')), {
    device,
    threads,
    compute: 'stored',
    parallel: 1,
  });
  const prompt = promptOf(Array<number>(promptTokens).fill(0), (row) => 300 + row);
  using cache = model.newCache(promptTokens + answerTokens + 1);
  await model.step(300, 0, cache);
  const first = await timed(() => model.prefill(prompt, cache, { image: null }));
  const second = await timed(async () => {
    for (let i = 0; i < answerTokens; i++) await model.step(300 + i, promptTokens + i, cache);
  });
  return { prompt: first, answer: second };
}

/** The part of node-llama-cpp's interface that is used here. It is not a dependency of this package. */
interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  clearHistory(): Promise<void>;
}
interface Llama {
  loadModel(options: object): Promise<{
    createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
    dispose(): Promise<void>;
  }>;
}

async function theirs(): Promise<Times> {
  const { getLlama } = (await import(pathToFileURL(path.join(peer, 'dist', 'index.js')).href)) as {
    getLlama(options: object): Promise<Llama>;
  };
  const llama = await getLlama({
    gpu: device === 'cpu' ? false : device,
    build: 'never',
    maxThreads: threads,
    logLevel: 'error',
  });
  const model = await llama.loadModel({ modelPath: path.resolve(folder, 'theirs.gguf'), useMmap: false });
  const context = await model.createContext({
    contextSize: promptTokens + answerTokens + 32,
    batchSize: promptTokens,
    flashAttention: true,
    threads,
  });
  const sequence = context.getSequence();
  await sequence.evaluateWithoutGeneratingNewTokens([300]);
  await sequence.clearHistory();
  const ids = Array.from({ length: promptTokens }, (_, i) => 300 + i);
  const first = await timed(() => sequence.evaluateWithoutGeneratingNewTokens(ids));
  const second = await timed(async () => {
    for (let i = 0; i < answerTokens; i++) await sequence.evaluateWithoutGeneratingNewTokens([300 + i]);
  });
  await context.dispose();
  await model.dispose();
  return { prompt: first, answer: second };
}

for (let round = 0; round < Number(roundsText); round++) {
  const [a, b] = [await ours(), await theirs()];
  for (const stage of ['prompt', 'answer'] as const) {
    const count = stage === 'prompt' ? promptTokens : answerTokens;
    const line = ({ wallS, cpuS, others }: Times['prompt']) => ({
      tokensPerS: count / wallS,
      tokensPerCpuS: count / cpuS,
      others,
    });
    const ratio = { wall: b[stage].wallS / a[stage].wallS, cpu: b[stage].cpuS / a[stage].cpuS };
    process.stdout.write(
      `${JSON.stringify({ stage, threads, ours: line(a[stage]), theirs: line(b[stage]), ratio })}\n`,
    );
  }
}
