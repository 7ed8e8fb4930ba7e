/** The guarded fetcher with a server of this machine that represents the public network. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FetchRules, imageFetcher } from '../../src/server/image-fetch.ts';

const png = Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1');
const asked: { url: string | undefined; host: string | undefined }[] = [];
const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/a.png': (_, response) => response.end(png),
  '/large': (_, response) => response.writeHead(200).end(Buffer.alloc(5000)),
  '/announced': (_, response) => response.writeHead(200, { 'content-length': 5000 }).write('x'),
  '/empty': (_, response) => response.end(),
  '/none': (_, response) => response.writeHead(404).end('no'),
  '/silent': () => {},
  '/loop': (_, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/once': (_, response) => response.writeHead(301, { location: '/a.png' }).end(),
  '/inside': (_, response) => response.writeHead(302, { location: 'http://10.0.0.5/a.png' }).end(),
  '/to-file': (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
};
const server = createServer((request, response) => {
  asked.push({ url: request.url, host: request.headers.host });
  (answers[request.url ?? ''] ?? answers['/none']!)(request, response);
});
let port: number;
const signal = new AbortController().signal;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const fetcher = (rules: Partial<FetchRules> = {}) =>
  imageFetcher({
    allowAny: true,
    allowHosts: ['pictures.example'],
    maxBytes: 1000,
    timeoutMs: 5000,
    resolve,
    ...rules,
  });
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
let resolved: string[] = [];
/** The allowed host is this machine; `two.example` has a public address and a private one. */
async function resolve(host: string): Promise<string[]> {
  resolved.push(host);
  if (host === 'two.example') return ['93.184.216.34', '10.0.0.5'];
  return host === 'nowhere.example' ? [] : ['127.0.0.1'];
}
const at = (path: string) => `http://pictures.example:${port}${path}`;

it('fetches from the checked address, with the requested host name', async () => {
  resolved = [];
  expect(Buffer.from(await fetcher()(at('/a.png'), signal))).toEqual(png);
  expect(asked.at(-1)).toEqual({ url: '/a.png', host: `pictures.example:${port}` });
  expect(resolved).toEqual(['pictures.example']);
});

it('follows a redirect after it checked the new address', async () => {
  expect(Buffer.from(await fetcher()(at('/once'), signal))).toEqual(png);
});

it.each([
  [
    'a name of this machine',
    () => `http://internal.example:${port}/a.png`,
    /resolves to an address that is not public/,
  ],
  [
    'a name with one private address of two',
    () => 'http://two.example/a.png',
    /not public.*--allow-image-host two\.example/,
  ],
  [
    'a private address',
    () => 'http://10.0.0.5/a.png',
    /10\.0\.0\.5\/a\.png resolves to an address that is not public/,
  ],
  ['the address of this machine in an unusual notation', () => 'http://0x7f.1/a.png', /not public/],
  ['an IPv6 address', () => 'http://[::1]/a.png', /not public/],
  ['a redirect to a private address', () => at('/inside'), /^(?!.*10\.0\.0\.5).*redirects to an address/],
  ['a redirect to a file', () => at('/to-file'), /^(?!.*passwd).*redirects to an address/],
  ['a file', () => 'file:///etc/passwd', /neither a data URL .* nor an http/],
  ['a path', () => '/etc/passwd', /neither/],
  ['a name and a password', () => 'http://me:secret@pictures.example/a.png', /holds a name or a password/],
])('refuses %s', async (_, url, sentence) => {
  const before = asked.filter((one) => one.url === '/a.png').length;
  await expect(fetcher()(url(), signal)).rejects.toMatchObject({
    code: 'image_url_blocked',
    message: expect.stringMatching(sentence),
  });
  expect(asked.filter((one) => one.url === '/a.png')).toHaveLength(before);
});

it.each([
  ['/none', 'image_fetch_failed', /status 404/],
  ['/empty', 'image_fetch_failed', /empty/],
  ['/loop', 'image_fetch_failed', /redirects more than 3 times/],
  ['/large', 'image_too_large', /more than 1000 bytes; the limit is 1000/],
  ['/announced', 'image_too_large', /5000 bytes; the limit is 1000/],
])('names the problem of %s', async (path, code, sentence) => {
  await expect(fetcher()(at(path), signal)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(sentence),
  });
});

it('includes a name server that does not answer in its time limit, and can be aborted', async () => {
  const silent = () => new Promise<string[]>(() => {});
  const fetching = fetcher({
    timeoutMs: 50,
    resolve: (_host, signal) => Promise.race([silent(), aborted(signal)]),
  });
  await expect(fetching('http://hang.example/a.png', signal)).rejects.toThrow(/longer than 0\.05 s/);
});

it('ends after its time limit if the DNS lookup of an allowed host does not answer', async () => {
  const { resolve: _, ...rules } = {
    resolve,
    allowAny: true,
    allowHosts: ['x.invalid'],
    maxBytes: 10,
    timeoutMs: 5_000,
  };
  await expect(imageFetcher(rules)('http://x.invalid/a.png', signal)).rejects.toMatchObject({
    code: 'image_fetch_failed',
    message: expect.stringMatching(/^(?!.*getaddrinfo)/),
  });
});

it('ends after its time limit, and at once when the client disconnects', async () => {
  await expect(fetcher({ timeoutMs: 50 })(at('/silent'), signal)).rejects.toThrow(/longer than 0\.05 s/);
  const leaver = new AbortController();
  const fetching = fetcher()(at('/silent'), leaver.signal);
  leaver.abort(new Error('left'));
  await expect(fetching).rejects.toThrow('left');
});

it('fetches images only if it is enabled, and only from allowed hosts', async () => {
  const none = fetcher({ allowAny: false, allowHosts: [] });
  await expect(none(at('/a.png'), signal)).rejects.toThrow(/fetches no images.*--allow-image-urls/);
  const some = fetcher({ allowAny: false });
  expect(Buffer.from(await some(at('/a.png'), signal))).toEqual(png);
  await expect(some('http://other.example/a.png', signal)).rejects.toThrow(
    /other\.example is not one of the hosts/,
  );
});

it('refuses an address of megabytes without parsing it', async () => {
  await expect(fetcher()(`http://pictures.example/${'a'.repeat(30_000_000)}`, signal)).rejects.toThrow(
    'has more than 8192 characters; that is the limit',
  );
});

it('does not repeat the query of an address, which may contain a secret', async () => {
  await expect(fetcher()(at('/none?token=hush'), signal)).rejects.toThrow(/^(?!.*hush)/);
});
