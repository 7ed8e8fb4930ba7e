/**
 * Sends hostile requests to a server. Run by hand: `npx tsx test/fuzz/attack.ts [--url URL] [--only WORD]`. Without --url, the built
 * server is started (`npm run build` first). For each attack it reports the answer, the longest time of /livez during the attack, the
 * longest block of the event loops of the server and of its engine, and (on Linux, without --url) the peak memory of the three
 * processes.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { serve } from '../server/served.ts';
import { hostileBodies } from './hostile-bodies.ts';
import { hostileRequests } from './hostile-requests.ts';
import { PeakMemory } from './peak-memory.ts';

const { values } = parseArgs({ options: { url: { type: 'string' }, only: { type: 'string', default: '' } } });
const server =
  values.url === undefined ? await serve(['--log-level', 'error', '--time-limit-seconds', '30']) : null;
const url = values.url ?? server?.url ?? '';
const { hostname, port } = new URL(url);
const memory = server === null ? null : new PeakMemory(server.child.pid ?? 0);
const question = '"messages":[{"role":"user","content":"hi"}],"max_tokens":2';
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Requests /livez every 10 ms, in a thread, because the main thread runs the attacks. The first connection is not counted. */
class Probe {
  readonly #worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     let longestMs = 0, stopped = false;
     parentPort.on('message', () => { stopped = true; });
     (async () => {
       await (await fetch(workerData + '/livez')).text();
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

/** The longest blocks since the last call, measured by the server and its engine. */
async function eventLoopsMs(): Promise<{ server: number; engine: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const ms = (name: string) =>
    Math.round(Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0) * 1_000);
  return {
    server: ms('nodejs_eventloop_lag_max_seconds'),
    engine: ms('cogvlm2_engine_eventloop_lag_max_seconds'),
  };
}

const longest = { livezMs: 0, server: 0, engine: 0, peakMB: 0 };
let attacks = 0;

async function attack(name: string, run: () => Promise<string>): Promise<void> {
  if (!name.includes(values.only)) return;
  await eventLoopsMs();
  memory?.reset();
  const probe = new Probe();
  await sleep(300);
  const startedAt = performance.now();
  const answer = await run().catch((error: Error) => `failed: ${error.cause ?? error.message}`);
  const ms = Math.round(performance.now() - startedAt);
  await sleep(50);
  const livezMs = await probe.end();
  const loopsMs = await eventLoopsMs();
  const peaksMB = memory?.read();
  attacks++;
  longest.livezMs = Math.max(longest.livezMs, livezMs);
  longest.server = Math.max(longest.server, loopsMs.server);
  longest.engine = Math.max(longest.engine, loopsMs.engine);
  longest.peakMB = Math.max(longest.peakMB, ...(peaksMB ?? []));
  process.stdout.write(`${JSON.stringify({ name, answer, ms, livezMs, loopsMs, peaksMB })}\n`);
}

async function send(body: string, path = '/v1/chat/completions'): Promise<string> {
  const response = await fetch(url + path, { method: 'POST', body });
  const text = await response.text();
  return `${response.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`.trim();
}

const honest = () => send(`{${question}}`);

/** Writes bytes to a connection, and returns the bytes that arrive within `forMs`. */
function raw(bytes: string, forMs = 2_000): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname);
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.on('error', end).on('close', end);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.write(bytes, 'latin1');
    setTimeout(end, forMs);
  });
}

const statusesIn = (text: string) => {
  const counts: Record<string, number> = {};
  for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g))
    counts[status!] = (counts[status!] ?? 0) + 1;
  return JSON.stringify(counts);
};

function sockets(count: number, head = ''): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname).on('error', () => {});
    if (head !== '') socket.write(head);
    return socket;
  });
}

const postHead = (length: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`;

for (const [name, { body, path }] of Object.entries(hostileBodies)) {
  await attack(name, () => send(body(), path));
}

const noise = await sharp(randomBytes(3_000 * 2_500 * 3), {
  raw: { width: 3_000, height: 2_500, channels: 3 },
})
  .png()
  .toBuffer();
const whole = JSON.stringify({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: '?' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${noise.toString('base64')}` } },
      ],
    },
  ],
  max_tokens: 2,
});
await attack(`a whole PNG of ${Math.round(noise.length / 1e6)} MB`, () => send(whole));
await attack('three answers about it, with log probabilities', () =>
  send(`${whole.slice(0, -1)},"n":3,"logprobs":true,"top_logprobs":20,"temperature":2}`),
);
await attack('count the tokens of two of them', async () =>
  (await Promise.all([1, 2].map(() => send(whole, '/v1/chat/completions/input_tokens')))).join(', '),
);

await attack('six large schemas at once', async () => {
  const body = hostileBodies['a large schema']!.body();
  return (await Promise.all(Array.from({ length: 6 }, () => send(body)))).join(', ');
});

/** A body of spaces in chunks of one byte. @param extension behind the size of each chunk */
const tinyChunks = (count: number, extension = '') =>
  `${postHead('Transfer-Encoding: chunked')}${`1${extension}\r\n \r\n`.repeat(count)}0\r\n\r\n`;

await attack('a body in 300,000 chunks of one byte', async () =>
  statusesIn(await raw(tinyChunks(300_000), 8_000)),
);

await attack('20 bodies in 30,000 chunks of one byte, and one honest request', async () => {
  const open = sockets(20, tinyChunks(30_000));
  const answer = await honest();
  await sleep(4_000);
  for (const socket of open) socket.destroy();
  return answer;
});

await attack('200,000 chunks of one byte with extensions', async () =>
  statusesIn(await raw(tinyChunks(200_000, ';a=b;c="d"'), 8_000)),
);

await attack('chunks of one byte with extensions of 16 kB', async () =>
  statusesIn(await raw(tinyChunks(1_000, `;${'a'.repeat(16_000)}`), 8_000)),
);

await attack('trailers, one of each letter', async () => {
  const trailers = 'X: a\r\n'.repeat(1_900);
  return statusesIn(await raw(`${postHead('Transfer-Encoding: chunked')}2\r\n{}\r\n0\r\n${trailers}\r\n`));
});

await attack('50 requests, a byte at a time', async () => {
  const open = sockets(50).map((socket) => socket.setNoDelay(true));
  const bytes = `${postHead('Content-Length: 2')}{}`;
  for (const byte of bytes) {
    for (const socket of open) if (socket.writable) socket.write(byte);
    await sleep(5);
  }
  for (const socket of open) socket.destroy();
  return honest();
});

await attack('200 requests with 1,900 header lines each', async () => {
  const request = `GET /v1/models HTTP/1.1\r\nHost: localhost\r\n${'X: a\r\n'.repeat(1_900)}\r\n`;
  const open = sockets(200, request);
  await sleep(1_000);
  for (const socket of open) socket.destroy();
  return honest();
});

await attack('300 upgrades and tunnels', async () => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const requests = ['GET /livez', 'POST /v1/chat/completions', 'CONNECT localhost:1'].flatMap((line) =>
    sockets(100, `${line} HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n${'\0'.repeat(60_000)}`),
  );
  await sleep(1_000);
  for (const socket of requests) socket.destroy();
  return honest();
});

await attack('300 bodies announced with Expect: 100-continue', async () => {
  const open = sockets(300, postHead('Expect: 100-continue\r\nContent-Length: 30000000'));
  await sleep(1_000);
  for (const socket of open) socket.destroy();
  return honest();
});

await attack('5,000 requests in one connection, and one honest request', async () => {
  const [text, answer] = await Promise.all([
    raw('GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5_000), 6_000),
    honest(),
  ]);
  return `${statusesIn(text)}, ${answer}`;
});

await attack('300 requests for answers in one connection', async () => {
  const body = `{${question}}`;
  return statusesIn(await raw(`${postHead(`Content-Length: ${body.length}`)}${body}`.repeat(300), 6_000));
});

await attack('invalid HTTP requests', async () => {
  const host = 'Host: localhost\r\n';
  const requests = [
    `CONNECT example.com:443 HTTP/1.1\r\n${host}\r\n`,
    `TRACE / HTTP/1.1\r\n${host}\r\n`,
    `GET http://example.com/livez HTTP/1.1\r\n${host}\r\n`,
    `GET //evil.example/livez HTTP/1.1\r\n${host}\r\n`,
    `GET /v1/models/%E0%A4%A HTTP/1.1\r\n${host}\r\n`,
    `GET /v1/models/__proto__ HTTP/1.1\r\n${host}\r\n`,
    `GET /${'a/'.repeat(6_000)} HTTP/1.1\r\n${host}\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: ${'a'.repeat(15_000)}\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}${'X: a\r\n'.repeat(1_900)}\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\n${host}Expect: something\r\nContent-Length: 2\r\n\r\n{}`,
    `POST /v1/chat/completions HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\n${host}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET / HTTP/1.1\r\nHost: \x00\r\n\r\n',
  ];
  const answers = await Promise.all(requests.map((request) => raw(request, 1_500)));
  const statuses = answers.map((text) => /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'closed');
  return `${statuses.join(' ')}, ${await honest()}`;
});

await attack('strange headers and bodies for every route', async () => {
  const statuses: Record<string, number> = {};
  for (const { route, bytes } of hostileRequests()) {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(await raw(bytes, 5_000))?.[1] ?? 'closed';
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status.startsWith('5')) process.stdout.write(`${status}: ${route}, ${bytes.slice(0, 200)}\n`);
  }
  return `${JSON.stringify(statuses)}, ${await honest()}`;
});

await attack('70 slow uploads, and one honest request', async () => {
  const open = sockets(70, `${postHead('Content-Length: 1000')}{`);
  const drip = setInterval(() => {
    for (const socket of open) if (socket.writable) socket.write(' ');
  }, 500);
  await sleep(2_000);
  const answer = await honest();
  clearInterval(drip);
  for (const socket of open) socket.destroy();
  return answer;
});

await attack('2,000 idle connections, and one honest request', async () => {
  const open = sockets(2_000);
  await sleep(1_000);
  const answer = await honest();
  for (const socket of open) socket.destroy();
  return answer;
});

await attack('20 clients that request streams and read nothing', async () => {
  const body = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":200,"temperature":2,"stream":true,"logprobs":true,"top_logprobs":20}`;
  const open = sockets(20, `${postHead(`Content-Length: ${body.length}`)}${body}`);
  for (const socket of open) socket.pause();
  await sleep(2_000);
  const answer = await honest();
  for (const socket of open) socket.destroy();
  return answer;
});

await attack('200 clients that disconnect at once', async () => {
  const body = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":200}`;
  for (const socket of sockets(200, `${postHead(`Content-Length: ${body.length}`)}${body}`)) {
    setTimeout(() => socket.destroy(), 50);
  }
  await sleep(500);
  return honest();
});

await attack('an invalid PDF, and a PDF of 30 MB', async () =>
  (
    await Promise.all([
      send(`%PDF-1.7\n${'x'.repeat(1_000)}`, '/v1/pages'),
      send(`%PDF-1.7\n${'1 0 obj<</Type/Catalog>>endobj\n'.repeat(2 ** 20)}`, '/v1/pages'),
    ])
  ).join(', '),
);

process.stdout.write(`${JSON.stringify({ attacks, longest })}\n`);
await server?.[Symbol.asyncDispose]();
