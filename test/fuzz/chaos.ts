/**
 * Ten minutes of failures. Run by hand after `npm run build`: `npx tsx test/fuzz/chaos.ts [--minutes 10] [--clients 6] [--seed N]`. The
 * engine and the HTTP process of a server are killed while it answers, and clients disconnect during answers. Batches, conversions,
 * workers and their Redis are killed at random moments. Disks are full. Every answer must be complete and right, or an error with a
 * code, and every finished batch must have one answer for each input.
 */
import { parseArgs } from 'node:util';
import { serve } from '../server/served.ts';
import { type Chaos, fullDisks, killedBatches, killedConversions, killedQueue } from './chaos-runs.ts';
import { childrenOf } from './peak-memory.ts';
import { Random } from './random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '6' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const random = new Random(Number(values.seed));
const deadline = performance.now() + Number(values.minutes) * 60_000;
const counts: Record<string, number> = {};
const wrong: string[] = [];
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1;
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
process.stdout.write(`seed ${values.seed}, ${values.minutes} minutes\n`);

await using server = await serve(['--slots', '4', '--log-level', 'error']);
const ask = { messages: [{ role: 'user', content: 'Why?' }], max_tokens: 12, temperature: 2, seed: 5 };
const post = (body: object, signal?: AbortSignal) =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
const expected = ((await (await post(ask)).json()) as Completion).choices[0]!.message.content;

interface Completion {
  choices: { message: { content: string } }[];
}

/** The errors that a client may get while processes are killed. */
const NAMED = new Set(['engine_stopped', 'model_loading', 'queue_full', 'shutting_down', 'cancelled']);

async function client(): Promise<void> {
  while (performance.now() < deadline) {
    try {
      const leaves = random.chance(0.2) ? AbortSignal.timeout(20 + random.below(400)) : undefined;
      if (random.chance(0.5)) await whole(leaves);
      else await streamed(leaves);
    } catch (error) {
      // The HTTP process was killed, or the client disconnected.
      count(error instanceof Error && error.name === 'TimeoutError' ? 'left' : 'connection lost');
      await sleep(200);
    }
  }
}

async function whole(signal: AbortSignal | undefined): Promise<void> {
  const response = await post(ask, signal);
  check(response.status, (await response.json()) as Completion & Partial<ErrorBody>);
}

async function streamed(signal: AbortSignal | undefined): Promise<void> {
  const response = await post({ ...ask, stream: true }, signal);
  if (response.status !== 200) return check(response.status, (await response.json()) as ErrorBody);
  const events = (await response.text())
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice(6));
  const parsed = events.filter((event) => event !== '[DONE]').map((event) => JSON.parse(event));
  const failure = parsed.find((event) => event.error) as ErrorBody | undefined;
  if (failure) return check(0, failure);
  const text = parsed.map((event) => event.choices[0]?.delta.content ?? '').join('');
  if (events.at(-1) === '[DONE]') check(200, { choices: [{ message: { content: text } }] });
  else count('connection lost');
}

interface ErrorBody {
  error: { code: string; message: string };
}

function check(status: number, body: Partial<Completion> & Partial<ErrorBody>): void {
  const text = body.choices?.[0]?.message.content;
  if (status === 200 && text === expected) count('right');
  else if (body.error && NAMED.has(body.error.code)) count(body.error.code);
  else wrong.push(JSON.stringify(body).slice(0, 300));
}

/** Kills the engine or the HTTP process at random times. */
async function killer(): Promise<void> {
  while (performance.now() < deadline - 15_000) {
    await sleep(4_000 + random.below(8_000));
    const children = childrenOf(server.child.pid);
    const victim = random.chance(0.7) ? childrenOf(children[0])[0] : children[0];
    if (victim === undefined) continue;
    count(victim === children[0] ? 'killed the HTTP process' : 'killed the engine');
    process.kill(victim, 'SIGKILL');
  }
}

const chaos: Chaos = { random, deadline, count, wrong };
await Promise.all([
  ...Array.from({ length: Number(values.clients) }, client),
  killer(),
  killedConversions(chaos),
  killedBatches(chaos),
  killedQueue(chaos),
  fullDisks(chaos),
]);
// After many kills the supervisor waits up to 30 s before it starts the server again.
for (let tries = 0; tries < 120; tries++) {
  const health = await fetch(`${server.url}/health`).catch(() => undefined);
  if (health?.status === 200) break;
  await sleep(1_000);
}
const { status } = await post(ask).catch(() => ({ status: 0 }));
if (status !== 200) wrong.push(`in the end the server answers with ${status}: ${server.log().slice(-500)}`);
process.stdout.write(
  `${JSON.stringify({ counts, wrong: wrong.length, examples: wrong.slice(0, 5) }, null, 1)}\n`,
);
if (wrong.length > 0) process.exitCode = 1;
