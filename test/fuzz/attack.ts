/**
 * Hostile requests to a running server, by hand: `npx tsx test/fuzz/attack.ts [--url URL]`. Without an address the built
 * server is started (`npm run build` first). It reports, for each attack, what was answered, the longest time that
 * /livez took meanwhile, and the longest block of the server's event loop.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { serve } from '../server/served.ts';

const { values } = parseArgs({ options: { url: { type: 'string' } } });
const server =
  values.url === undefined ? await serve(['--log-level', 'error', '--time-limit-seconds', '30']) : null;
const url = values.url ?? server?.url ?? '';
const chat = `${url}/v1/chat/completions`;
const MIB = 2 ** 20;

const question = '"messages":[{"role":"user","content":"hi"}],"max_tokens":2';
const filled = (head: string, part: string, sizeBytes: number, tail: string) =>
  head + part.repeat(Math.floor(sizeBytes / part.length)) + tail;
const base64 = (sizeBytes: number) => 'QUJD'.repeat(sizeBytes / 4);

/** Bodies of about 32 MB and others. */
const bodies: Record<string, () => string> = {
  'empty messages': () => filled('{"messages":[', '{},', 24 * MIB, '{}]}'),
  'a large schema': () =>
    filled(
      `{${question},"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"enum":[`,
      '[],',
      30 * MIB,
      '1]}}}}',
    ),
  'a large schema as one text': () =>
    `{${question},"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"const":"${base64(30 * MIB)}"}}}}`,
  'many tools': () =>
    filled(`{${question},"tools":[`, '{"type":"function","function":{"name":"a"}},', 30 * MIB, '{}]}'),
  'many parts': () =>
    filled('{"messages":[{"role":"user","content":[', '{"type":"text","text":"a"},', 30 * MIB, '{}]}]}'),
  'deep lists': () => `{${question},"model":${'['.repeat(15 * MIB)}${']'.repeat(15 * MIB)}}`,
  'one long text with spaces': () =>
    filled('{"messages":[{"role":"user","content":"', 'ab cd ', 31 * MIB, '"}]}'),
  'one long text without': () => `{"messages":[{"role":"user","content":"${base64(31 * MIB)}"}]}`,
  'one long text of escapes': () =>
    filled('{"messages":[{"role":"user","content":"', '\\u0041', 31 * MIB, '"}]}'),
  'one long key': () => `{"${base64(31 * MIB)}":1}`,
  'an image of noise': () =>
    `{"messages":[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,${base64(31 * MIB)}"}}]}]}`,
  'an image with escaped slashes': () =>
    `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\\/png;base64,${'QUJDRA\\/\\/'.repeat(3 * MIB)}"}}]}]}`,
  'an image in lines': () =>
    `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${`${base64(76)}\\r\\n`.repeat(390_000)}"}}]}]}`,
  'a JSON text just below its limit': () =>
    filled('{"messages":[{"role":"user","content":"hi"}],"metadata":[', '{"a":[1,2]},', MIB - 100, '0]}'),
  'many numbers for /detokenize': () => filled('{"tokens":[', '-1,', MIB - 100, '1]}'),
  'not JSON': () => '['.repeat(50) + ' '.repeat(31 * MIB),
};

/** Asks for /livez every 10 ms, in a thread: this one is busy with the attacks. */
class Probe {
  readonly #worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     let longestMs = 0, stopped = false;
     parentPort.on('message', () => { stopped = true; });
     (async () => {
       while (!stopped) {
         const startedAt = performance.now();
         await (await fetch(workerData + '/livez')).text();
         longestMs = Math.max(longestMs, performance.now() - startedAt);
         await new Promise((resolve) => setTimeout(resolve, 10));
       }
       parentPort.postMessage(longestMs);
       parentPort.close();
     })();`,
    { eval: true, workerData: url },
  );

  end(): Promise<number> {
    return new Promise((resolve) => {
      this.#worker.once('message', (longestMs: number) => resolve(Math.round(longestMs)));
      this.#worker.postMessage('end');
    });
  }
}

/** Longest block since the last call, as the server measures it. */
async function eventLoopMs(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Math.round(Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1] ?? 0) * 1_000);
}

async function attack(name: string, run: () => Promise<string>): Promise<void> {
  await eventLoopMs();
  const probe = new Probe();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const startedAt = performance.now();
  const answer = await run().catch((error: Error) => `failed: ${error.cause ?? error.message}`);
  const ms = Math.round(performance.now() - startedAt);
  const report = { name, answer, ms, livezMs: await probe.end(), eventLoopMs: await eventLoopMs() };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

async function send(body: string, path = chat): Promise<string> {
  const response = await fetch(path, { method: 'POST', body });
  const text = await response.text();
  return `${response.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`;
}

for (const [name, body] of Object.entries(bodies)) {
  const bytes = body();
  await attack(name, () => send(bytes, name.includes('/detokenize') ? `${url}/detokenize` : chat));
}

const noise = await sharp(randomBytes(3_000 * 2_500 * 3), {
  raw: { width: 3_000, height: 2_500, channels: 3 },
})
  .png()
  .toBuffer();
const whole = `{"messages":[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,${noise.toString('base64')}"}}]}],"max_tokens":2}`;
await attack(`a whole PNG of ${Math.round(noise.length / 1e6)} MB`, () => send(whole));

await attack('six large schemas at once', async () => {
  const body = bodies['a large schema']!();
  return (await Promise.all(Array.from({ length: 6 }, () => send(body)))).join(', ');
});

await attack('70 slow uploads, and one honest request', async () => {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: 70 }, () => {
    const socket = connect(Number(port), hostname).on('error', () => {});
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{');
    return socket;
  });
  const drip = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(' ');
  }, 500);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const answer = await send(`{${question}}`);
  clearInterval(drip);
  for (const socket of sockets) socket.destroy();
  return answer;
});

await attack('2,000 idle connections, and one honest request', async () => {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: 2_000 }, () => connect(Number(port), hostname).on('error', () => {}));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const answer = await send(`{${question}}`);
  for (const socket of sockets) socket.destroy();
  return answer;
});

await server?.[Symbol.asyncDispose]();
