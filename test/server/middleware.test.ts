/** The middleware of all requests, on a server with a socket. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clientAddress, trustedProxies } from '../../src/server/middleware.ts';
import { listening } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

/** Sends bytes and resolves with everything that the server answers until it closes the connection. */
function exchange(url: string, head: string, body: readonly Uint8Array[] = []): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
    socket.write(head);
    for (const chunk of body) socket.write(chunk);
  });
}

const megabyte = Buffer.alloc(2 ** 20, 0x20);
const post = (path: string, sizeBytes: number, more = '') =>
  `POST ${path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: ${sizeBytes}\r\n${more}\r\n`;

describe('an early refusal of a large body on a connection that closes afterwards, like those of nginx', () => {
  it.each([
    ['without a key', '/v1/chat/completions', '', 401],
    [
      'from another origin',
      '/v1/chat/completions',
      'Authorization: Bearer long-enough\r\nOrigin: https://evil.example\r\n',
      403,
    ],
    ['of an unknown path', '/v1/nothing', 'Authorization: Bearer long-enough\r\n', 404],
  ])('reaches the client %s', async (_, path, headers, status) => {
    await using server = await listening({ apiKeys: ['long-enough'] }, scriptedHost().load);
    const body = Array.from({ length: 16 }, () => megabyte);
    const answer = await exchange(server.url, post(path, 16 * 2 ** 20, headers), body);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('"error"');
  });

  it('keeps the connection open if the body is wrong while it arrives', async () => {
    await using server = await listening({}, scriptedHost().load);
    const head = post('/v1/chat/completions', 16 * 2 ** 20).replace('HTTP/1.0', 'HTTP/1.1');
    const next = Buffer.from('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const body = Array.from({ length: 16 }, () => megabyte);
    const answers = await exchange(server.url, head, [...body, next]);
    expect(answers).toMatch(/^HTTP\/1\.1 413 .*HTTP\/1\.1 200 .*"ok"/s);
  });

  it('reaches the client when the queue is full', async () => {
    const host = scriptedHost();
    let release = () => {};
    host.gate = new Promise((resolve) => {
      release = resolve;
    });
    await using server = await listening({ parallel: 1, maxQueue: 0 }, host.load);
    const first = fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 1 }),
    });
    while (host.steps === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const body = Array.from({ length: 16 }, () => megabyte);
    expect(await exchange(server.url, post('/v1/chat/completions', 16 * 2 ** 20), body)).toMatch(
      /^HTTP\/1\.1 503 /,
    );
    release();
    expect((await first).status).toBe(200);
  });
});

it('answers HTTP/1.0 without a Host header only on the paths of probes', async () => {
  await using server = await listening({}, scriptedHost().load);
  for (const path of ['/livez', '/health']) {
    expect(await exchange(server.url, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  }
  expect(await exchange(server.url, 'GET /v1/models HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
});

it('accepts every origin with *', async () => {
  await using server = await listening({ corsOrigins: ['*'] }, scriptedHost().load);
  const response = await fetch(`${server.url}/v1/models`, { headers: { origin: 'https://any.example' } });
  expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
});

describe('the address of a client', () => {
  const isTrusted = trustedProxies(['10.0.0.0/8', '::1', '192.0.2.7']);

  it.each([
    ['a direct client', '203.0.113.9', undefined, '203.0.113.9'],
    ['a direct client that claims to be another', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['one behind a trusted proxy', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['one behind two', '10.1.2.3', '198.51.100.1, 192.0.2.7', '198.51.100.1'],
    ['one with a forged header behind a trusted proxy', '10.1.2.3', '1.2.3.4, 198.51.100.1', '198.51.100.1'],
    ['a proxy that adds nothing', '10.1.2.3', undefined, '10.1.2.3'],
    ['an invalid header', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['an IPv4 client in IPv6 notation', '::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['an IPv6 client, by its network', '::1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['an IPv6 client with a port', '::1', '[2001:db8:1:2::9]:4711', '2001:db8:1:2::/64'],
    ['a client without a socket', undefined, undefined, 'local'],
  ])('is that of %s', (_, peer, forwardedFor, client) => {
    expect(clientAddress(peer, forwardedFor, isTrusted)).toBe(client);
  });
});
