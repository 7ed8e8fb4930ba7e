import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { limitIdleConnections } from '../../src/server/connections.ts';
import { parseInTurns } from '../../src/server/parse-turns.ts';
import { until } from '../cli/memory-terminal.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

let server: Server | undefined;
const clients: { socket: Socket; received: string; isClosed: boolean }[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  server?.closeAllConnections();
  server?.close();
});

/** A server with at most three connections without a request. */
async function listen(listener: RequestListener): Promise<() => Promise<(typeof clients)[number]>> {
  server = createServer(listener);
  let accepted = 0;
  server.on('connection', () => accepted++);
  limitIdleConnections(server, 3);
  parseInTurns(server);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return async () => {
    const before = accepted;
    const client = { socket: connect(port, '127.0.0.1'), received: '', isClosed: false };
    clients.push(client);
    client.socket.on('error', () => {});
    client.socket.on('data', (chunk) => {
      client.received += chunk;
    });
    client.socket.on('close', () => {
      client.isClosed = true;
    });
    await until(() => accepted > before);
    return client;
  };
}

const closed = () => clients.map(({ isClosed }) => isClosed);

it('one connection too many closes the one that has had no request for the longest time', async () => {
  const open = await listen((_, response) => response.end('done'));
  const first = await open();
  for (let i = 0; i < 2; i++) await open();
  // The answer makes the first one the youngest.
  first.socket.write(request);
  await until(() => first.received.endsWith('done'));
  await open();
  await until(() => closed().some(Boolean));
  expect(closed()).toEqual([false, true, false, false]);
  const newest = await open();
  newest.socket.write(request);
  await until(() => newest.received.endsWith('done'));
  expect(closed()).toEqual([false, true, true, false, false]);
});

it('connections with requests are not closed, and close no others', async () => {
  const answers: (() => void)[] = [];
  const open = await listen((_, response) => void answers.push(() => response.end('done')));
  const quiet = await open();
  for (let i = 0; i < 5; i++) {
    const client = await open();
    client.socket.write(request);
    await until(() => answers.length === i + 1);
  }
  quiet.socket.write(request);
  await until(() => answers.length === 6);
  expect(closed()).toEqual(Array(6).fill(false));
  // After the answers, six have no request.
  for (const answer of answers) answer();
  await until(() => closed().filter(Boolean).length === 3);
});

it('a connection with two requests is idle after the second answer', async () => {
  const answers: (() => void)[] = [];
  const open = await listen((_, response) => void answers.push(() => response.end('done')));
  const two = await open();
  two.socket.write(request.repeat(2));
  await until(() => answers.length === 2);
  answers[0]?.();
  await until(() => two.received.endsWith('done'));
  for (let i = 0; i < 4; i++) await open();
  await until(() => closed().some(Boolean));
  expect(closed()).toEqual([false, true, false, false, false]);
  answers[1]?.();
  await until(() => two.received.split('done').length === 3);
});

it('closed connections do not count', async () => {
  const open = await listen((_, response) => response.end('done'));
  for (let i = 0; i < 6; i++) {
    const client = await open();
    client.socket.end();
    await until(() => client.isClosed);
  }
  for (let i = 0; i < 3; i++) await open();
  for (const { socket } of clients.slice(6)) socket.write(request);
  await until(() => clients.slice(6).every(({ received }) => received.endsWith('done')));
});
