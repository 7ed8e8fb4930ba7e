import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { CONNECTION_LIMITS } from '../../src/server/limits.ts';
import { beginInTurns, limitPipelining } from '../../src/server/pipelining.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends this number of requests at once. @returns the numbers of begun and answered requests until the connection closed */
async function pipelined(count: number): Promise<{ begun: number; answered: number }> {
  let begun = 0;
  server = createServer(
    limitPipelining((_, response) => {
      begun++;
      setImmediate(() => response.end('done'));
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const one = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const last = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const text = await new Promise<string>((resolve) => {
    let received = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
    socket.write(one.repeat(count - 1) + last);
  });
  return { begun, answered: text.match(/HTTP\/1\.1 200/g)?.length ?? 0 };
}

it('answers a few requests that arrive at once', async () => {
  const { pipelined: limit } = CONNECTION_LIMITS;
  expect(await pipelined(limit)).toEqual({ begun: limit, answered: limit });
});

it('closes a connection with many requests, and begins no more of them', async () => {
  expect((await pipelined(2_000)).begun).toBe(CONNECTION_LIMITS.pipelined);
});

it('begins one request in each turn of the event loop, and an urgent one at once', async () => {
  const turns: number[] = [];
  let turn = 0;
  const order: string[] = [];
  const listener = beginInTurns(
    (request) => {
      order.push(request.url!);
      turns.push(turn);
    },
    (url) => url === '/urgent',
  );
  const request = (url: string) => ({ url, socket: { destroyed: url === '/left' } }) as IncomingMessage;
  for (const url of ['/1', '/2', '/left', '/3', '/urgent']) listener(request(url), {} as ServerResponse);
  while (order.length < 4) {
    await new Promise(setImmediate);
    turn++;
  }
  expect(order).toEqual(['/urgent', '/1', '/2', '/3']);
  // The urgent one does not wait, and each of the others has a turn of its own.
  expect(new Set(turns.slice(1)).size).toBe(3);
});
