/**
 * Sends hostile requests to a server. Run by hand: `npx tsx test/fuzz/attack.ts [--url URL] [--only WORD]`. Without --url, the built
 * server is started (`npm run build` first). For each attack it reports the answer, the longest time of /livez during the attack, the
 * longest block of the event loops of the server and of its engine, and (on Linux, without --url) the peak memory of the three
 * processes.
 */
import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { Attacker, postHead, question, sleep } from './attacker.ts';
import { hostileBodies } from './hostile-bodies.ts';
import { hostileRequests } from './hostile-requests.ts';

await using attacker = await Attacker.open();

const statusesIn = (text: string) => {
  const counts: Record<string, number> = {};
  for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g))
    counts[status!] = (counts[status!] ?? 0) + 1;
  return JSON.stringify(counts);
};

for (const [name, { body, path }] of Object.entries(hostileBodies)) {
  await attacker.attack(name, () => attacker.send(body(), path));
}

const noise = await sharp(randomBytes(3_000 * 2_500 * 3), {
  raw: { width: 3_000, height: 2_500, channels: 3 },
})
  .png()
  .toBuffer();
const withImageOf = (image: Buffer) =>
  JSON.stringify({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: '?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${image.toString('base64')}` } },
        ],
      },
    ],
    max_tokens: 2,
  });
const whole = withImageOf(noise);
await attacker.attack(`a whole PNG of ${Math.round(noise.length / 1e6)} MB`, () => attacker.send(whole));
await attacker.attack('three answers about it, with log probabilities', () =>
  attacker.send(`${whole.slice(0, -1)},"n":3,"logprobs":true,"top_logprobs":20,"temperature":2}`),
);
await attacker.attack('count the tokens of two of them', async () =>
  (await Promise.all([1, 2].map(() => attacker.send(whole, '/v1/chat/completions/input_tokens')))).join(', '),
);

await attacker.attack('six large schemas at once', async () => {
  const body = hostileBodies['a large schema']!.body();
  return (await Promise.all(Array.from({ length: 6 }, () => attacker.send(body)))).join(', ');
});

/** A body of spaces in chunks of one byte. @param extension behind the size of each chunk */
const tinyChunks = (count: number, extension = '') =>
  `${postHead('Transfer-Encoding: chunked')}${`1${extension}\r\n \r\n`.repeat(count)}0\r\n\r\n`;

await attacker.attack('a body in 300,000 chunks of one byte', async () =>
  statusesIn(await attacker.raw(tinyChunks(300_000), 8_000)),
);

await attacker.attack('20 bodies in 30,000 chunks of one byte, and one honest request', async () => {
  const open = attacker.sockets(20, tinyChunks(30_000));
  const answer = await attacker.honest();
  await sleep(4_000);
  for (const socket of open) socket.destroy();
  return answer;
});

await attacker.attack('200,000 chunks of one byte with extensions', async () =>
  statusesIn(await attacker.raw(tinyChunks(200_000, ';a=b;c="d"'), 8_000)),
);

await attacker.attack('chunks of one byte with extensions of 16 kB', async () =>
  statusesIn(await attacker.raw(tinyChunks(1_000, `;${'a'.repeat(16_000)}`), 8_000)),
);

await attacker.attack('trailers, one of each letter', async () => {
  const trailers = 'X: a\r\n'.repeat(1_900);
  return statusesIn(
    await attacker.raw(`${postHead('Transfer-Encoding: chunked')}2\r\n{}\r\n0\r\n${trailers}\r\n`),
  );
});

await attacker.attack('50 requests, a byte at a time', async () => {
  const open = attacker.sockets(50).map((socket) => socket.setNoDelay(true));
  const bytes = `${postHead('Content-Length: 2')}{}`;
  for (const byte of bytes) {
    for (const socket of open) if (socket.writable) socket.write(byte);
    await sleep(5);
  }
  for (const socket of open) socket.destroy();
  return attacker.honest();
});

await attacker.attack('200 requests with 1,900 header lines each', async () => {
  const request = `GET /v1/models HTTP/1.1\r\nHost: localhost\r\n${'X: a\r\n'.repeat(1_900)}\r\n`;
  const open = attacker.sockets(200, request);
  await sleep(1_000);
  for (const socket of open) socket.destroy();
  return attacker.honest();
});

await attacker.attack('300 upgrades and tunnels', async () => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const requests = ['GET /livez', 'POST /v1/chat/completions', 'CONNECT localhost:1'].flatMap((line) =>
    attacker.sockets(100, `${line} HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n${'\0'.repeat(60_000)}`),
  );
  await sleep(1_000);
  for (const socket of requests) socket.destroy();
  return attacker.honest();
});

await attacker.attack('300 bodies announced with Expect: 100-continue', async () => {
  const open = attacker.sockets(300, postHead('Expect: 100-continue\r\nContent-Length: 30000000'));
  await sleep(1_000);
  for (const socket of open) socket.destroy();
  return attacker.honest();
});

await attacker.attack('5,000 requests in one connection, and one honest request', async () => {
  const [text, answer] = await Promise.all([
    attacker.raw('GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5_000), 6_000),
    attacker.honest(),
  ]);
  return `${statusesIn(text)}, ${answer}`;
});

await attacker.attack('300 requests for answers in one connection', async () => {
  const body = `{${question}}`;
  return statusesIn(
    await attacker.raw(`${postHead(`Content-Length: ${body.length}`)}${body}`.repeat(300), 6_000),
  );
});

await attacker.attack('invalid HTTP requests', async () => {
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
  const answers = await Promise.all(requests.map((request) => attacker.raw(request, 1_500)));
  const statuses = answers.map((text) => /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'closed');
  return `${statuses.join(' ')}, ${await attacker.honest()}`;
});

await attacker.attack('strange headers and bodies for every route', async () => {
  const statuses: Record<string, number> = {};
  for (const { route, bytes } of hostileRequests()) {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(await attacker.raw(bytes, 5_000))?.[1] ?? 'closed';
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status.startsWith('5')) process.stdout.write(`${status}: ${route}, ${bytes.slice(0, 200)}\n`);
  }
  return `${JSON.stringify(statuses)}, ${await attacker.honest()}`;
});

await attacker.attack('70 slow uploads, and one honest request', async () => {
  const open = attacker.sockets(70, `${postHead('Content-Length: 1000')}{`);
  const drip = setInterval(() => {
    for (const socket of open) if (socket.writable) socket.write(' ');
  }, 500);
  await sleep(2_000);
  const answer = await attacker.honest();
  clearInterval(drip);
  for (const socket of open) socket.destroy();
  return answer;
});

await attacker.attack('2,000 idle connections, and one honest request', async () => {
  const open = attacker.sockets(2_000);
  await sleep(1_000);
  const answer = await attacker.honest();
  for (const socket of open) socket.destroy();
  return answer;
});

await attacker.attack('2,000 answered clients that reset their connections at once', async () => {
  const open = attacker.sockets(2_000, 'GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await sleep(2_000);
  for (const socket of open) socket.resetAndDestroy();
  await sleep(500);
  return attacker.honest();
});

await attacker.attack('1,200 refused bodies that never end', async () => {
  const open = attacker.sockets(1_200, `${postHead('Content-Length: 30000000')}{`);
  await sleep(1_500);
  for (const socket of open) socket.resetAndDestroy();
  await sleep(500);
  return attacker.honest();
});

await attacker.attack('60 uploads of an image that are reset at different places', async () => {
  const request = `${postHead(`Content-Length: ${whole.length}`)}${whole}`;
  const open = Array.from({ length: 60 }, (_, i) =>
    attacker.sockets(
      1,
      request.slice(0, i < 20 ? 8 * (i + 1) : Math.floor((request.length * (i - 19)) / 41)),
    ),
  ).flat();
  await sleep(1_500);
  for (const socket of open) socket.resetAndDestroy();
  await sleep(500);
  return attacker.honest();
});

const flat = { create: { width: 8_000, height: 8_000, channels: 3, background: '#123456' } } as const;
for (const [format, bytes] of [
  ['AVIF', await sharp(flat).avif({ effort: 0, quality: 1 }).toBuffer()],
  ['GIF', await sharp(flat).gif({ effort: 1 }).toBuffer()],
  ['interlaced PNG', await sharp(flat).toColourspace('rgb16').png({ progressive: true }).toBuffer()],
] as const) {
  await attacker.attack(`an image of 64 million pixels: ${format}, ${bytes.length} bytes`, () =>
    attacker.send(withImageOf(bytes)),
  );
}

await attacker.attack('20 clients that request streams and read nothing', async () => {
  const body = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":200,"temperature":2,"stream":true,"logprobs":true,"top_logprobs":20}`;
  const open = attacker.sockets(20, `${postHead(`Content-Length: ${body.length}`)}${body}`);
  for (const socket of open) socket.pause();
  await sleep(2_000);
  const answer = await attacker.honest();
  for (const socket of open) socket.destroy();
  return answer;
});

await attacker.attack('200 clients that disconnect at once', async () => {
  const body = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":200}`;
  for (const socket of attacker.sockets(200, `${postHead(`Content-Length: ${body.length}`)}${body}`)) {
    setTimeout(() => socket.destroy(), 50);
  }
  await sleep(500);
  return attacker.honest();
});

await attacker.attack('an invalid PDF, and a PDF of 30 MB', async () =>
  (
    await Promise.all([
      attacker.send(`%PDF-1.7\n${'x'.repeat(1_000)}`, '/v1/pages'),
      attacker.send(`%PDF-1.7\n${'1 0 obj<</Type/Catalog>>endobj\n'.repeat(2 ** 20)}`, '/v1/pages'),
    ])
  ).join(', '),
);
