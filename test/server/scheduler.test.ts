/** The server reports the states of the engine's scheduler. Random weights, and KV memory for one sequence. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { until } from '../cli/memory-terminal.ts';
import { writeTinyModel } from '../model/tiny-model.ts';
import { type Listening, listening } from './in-process.ts';

// No token ends an answer early.
const config = { max_position_embeddings: 1000, eos_token_id: [462] };
const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-scheduler-'));
/** Milliseconds. */
interface Timings {
  queue_ms: number;
  first_token_ms: number;
  predicted_ms: number;
}

let model: CogVLM2;
let server: Listening;

beforeAll(async () => {
  const files = writeTinyModel(folder, config);
  model = await CogVLM2.load({ model: files, device: 'cpu', threads: 1, parallel: 4, kvTokens: 1000 });
  server = await listening({ parallel: 4, maxQueue: 8 }, async () => model);
}, 60_000);

afterAll(async () => {
  await server.close();
  model.dispose();
  rmSync(folder, { recursive: true });
});

const get = async (route: string) => (await fetch(`${server.url}${route}`)).text();
const slots = async () => JSON.parse(await get('/slots'));
const ask = (signal?: AbortSignal) =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    // An answer of this length uses all KV memory.
    body: JSON.stringify({
      messages: [{ role: 'user', content: 'Tell me all.' }],
      max_tokens: 900,
      temperature: 1,
      seed: 1,
    }),
    ...(signal && { signal }),
  });

it('one runs and three wait, although four slots are allowed', { timeout: 120_000 }, async () => {
  const stop = new AbortController();
  const first = ask(stop.signal).catch(() => null);
  await until(async () => (await slots()).running === 1);
  const others = Array.from({ length: 3 }, () => ask());
  await until(async () => (await slots()).waiting === 3);
  const now = await slots();
  expect(now).toMatchObject({ running: 1, waiting: 3 });
  expect(now.engine).toMatchObject({ running: 1, waiting: 3, slots: 4, states: { queued: 3 } });
  const states = now.requests.map(({ state }: { state: string }) => state).sort();
  expect(states.slice(1)).toEqual(['queued', 'queued', 'queued']);
  const metrics = await get('/metrics');
  expect(metrics).toMatch(/^cogvlm2_requests_running 1$/m);
  expect(metrics).toMatch(/^cogvlm2_requests_waiting 3$/m);
  stop.abort();
  await first;
  const times = await Promise.all(
    others.map(async (answer) => ((await (await answer).json()) as { timings: Timings }).timings),
  );
  times.sort((a, b) => a.queue_ms - b.queue_ms);
  // The last request was queued while the previous two were answered.
  expect(times[2]!.queue_ms).toBeGreaterThan(times[0]!.predicted_ms + times[1]!.predicted_ms);
  for (const { queue_ms, first_token_ms } of times) expect(first_token_ms).toBeGreaterThanOrEqual(queue_ms);
  expect(await slots()).toMatchObject({ running: 0, waiting: 0 });
});
