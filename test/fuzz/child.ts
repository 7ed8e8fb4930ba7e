/** The process that uses the mutated files, one after the other. If it dies, the runner starts another one. */

import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { openSource } from '../../src/eval/data/files.ts';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { CogVLM2 } from '../../src/index.ts';
import { readPage } from '../../src/pdf/pdf.ts';
import type { Job, Outcome } from './runner.ts';

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

const image = fileURLToPath(new URL('../fixtures/images/tiny.png', import.meta.url));

process.on('message', (job: Job) => {
  void run(job).then((outcome) => process.send?.(outcome));
});
process.send?.({ ready: true });

async function run({ kind, path, parallel }: Job): Promise<Outcome> {
  const startedAt = performance.now();
  delay.reset();
  const end = (result: Pick<Outcome, 'result' | 'message' | 'stack'>): Outcome => ({
    ...result,
    ms: performance.now() - startedAt,
    delayMs: delay.max / 1e6,
  });
  try {
    const message = await use(kind, path, parallel);
    return end({ result: 'ok', message });
  } catch (error) {
    const { name, code, message, stack } = error as Error & { code?: string };
    const expected = name === 'CogVLM2Error' && code !== 'engine_bug';
    return end({
      result: expected ? (code ?? '') : `unexpected ${name}`,
      message,
      stack: expected ? undefined : stack,
    });
  }
}

function use(kind: Job['kind'], path: string, parallel: boolean): Promise<string> {
  if (kind === 'checkpoint') return ask(path, parallel);
  if (kind === 'adapter') return ask(join(path, '../base'), parallel, path);
  return kind === 'image' ? readImageOf(path) : readRows(path);
}

async function readImageOf(path: string): Promise<string> {
  const page = await readPage(path, 'The file', undefined, new AbortController().signal);
  const { width, height } = await preprocessImage(page.image, 56);
  return `${width} x ${height}`;
}

async function ask(model: string, parallel: boolean, adapter: string | string[] = []): Promise<string> {
  const options = { model, adapter, device: 'cpu', threads: 1 };
  using loaded = await CogVLM2.load({ ...options, ...(parallel && { parallel: 2 }) });
  const { text } = await loaded.ask(image, "What is it? It'll be 12 或者 3", { maxTokens: 2 }).result();
  return text;
}

async function readRows(path: string): Promise<string> {
  await using source = await openSource(path);
  let count = 0;
  for await (const _ of source.scan()) if (++count >= 1_000) break;
  for await (const _ of source.read([0, 1])) count++;
  return `${count} rows`;
}
