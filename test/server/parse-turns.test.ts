import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PARSE_LIMITS } from '../../src/server/limits.ts';
import { ParseTurns, parseInTurns } from '../../src/server/parse-turns.ts';
import { until } from '../cli/memory-terminal.ts';

let server: Server | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function listen(listener: RequestListener, options: ServerOptions = {}): Promise<number> {
  server = createServer(options, listener);
  parseInTurns(server);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Sends bytes. @returns all that came back when the server closed the connection */
function exchange(port: number, bytes: string | Uint8Array, endsAfter = false): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    if (endsAfter) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** Every piece takes the time of a whole turn. */
function makePiecesSlow(): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += PARSE_LIMITS.turnMs;
    return now;
  });
}

const head = (more: string) => `POST / HTTP/1.1\r\nHost: localhost\r\n${more}\r\n\r\n`;

describe('a server that parses in turns', () => {
  it('takes no more than a slow piece of one connection in a turn of the event loop', async () => {
    makePiecesSlow();
    const perTurn: number[] = [];
    let inThisTurn = 0;
    const port = await listen((request, response) => {
      request.on('data', () => {
        if (inThisTurn++ === 0)
          setImmediate(() => {
            perTurn.push(inThisTurn);
            inThisTurn = 0;
          });
      });
      request.on('end', () => response.end('done'));
    });
    const chunk = '1\r\n \r\n';
    const count = 50_000;
    const answer = await exchange(
      port,
      `${head('Connection: close\r\nTransfer-Encoding: chunked')}${chunk.repeat(count)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    await until(() => inThisTurn === 0);
    expect(perTurn.reduce((sum, chunks) => sum + chunks, 0)).toBe(count);
    // The chunks of the first piece are read after its turn, with those of the second one. Without turns there are four times as many.
    const most = 2 * Math.ceil(PARSE_LIMITS.pieceBytes / chunk.length);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(most);
  });

  it('begins no more requests of one connection in a turn than a slow piece has', async () => {
    makePiecesSlow();
    let inThisTurn = 0;
    let most = 0;
    const port = await listen((_, response) => {
      if (inThisTurn++ === 0)
        setImmediate(() => {
          most = Math.max(most, inThisTurn);
          inThisTurn = 0;
        });
      response.end();
    });
    const one = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const count = 3_000;
    const last = one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const answers = await exchange(port, one.repeat(count - 1) + last);
    expect(answers.match(/HTTP\/1\.1 200/g)).toHaveLength(count);
    await until(() => inThisTurn === 0);
    expect(most).toBeLessThanOrEqual(Math.ceil(PARSE_LIMITS.pieceBytes / one.length));
  });

  it('passes large bodies on in both directions, byte by byte the same', async () => {
    const port = await listen((request, response) => {
      request.pipe(response);
    });
    const body = randomBytes(5_000_000);
    const answer = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body });
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
  });

  it('does not read on while a body is not read', async () => {
    const port = await listen(() => {}, { highWaterMark: 4_096 });
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const sizeBytes = 64 * 2 ** 20;
    socket.write(head(`Content-Length: ${sizeBytes}`));
    socket.write(Buffer.alloc(sizeBytes));
    let before = -1;
    // What the system's buffers hold is taken; then nothing more.
    await until(() => {
      const isSame = socket.bytesWritten - socket.writableLength === before;
      before = socket.bytesWritten - socket.writableLength;
      return isSame && before > 0;
    });
    expect(socket.writableLength).toBeGreaterThan(0);
    socket.destroy();
  });

  it('answers a client that has ended its side, and names its address', async () => {
    const port = await listen((request, response) => {
      response.end(request.socket.remoteAddress);
    });
    const answer = await exchange(port, head('Connection: close\r\nContent-Length: 0'), true);
    expect(answer).toMatch(/127\.0\.0\.1$/);
  });

  it('notices that a client left', async () => {
    let hasLeft = false;
    const port = await listen((_, response) => {
      response.on('close', () => {
        hasLeft = !response.writableFinished;
      });
      socket.destroy();
    });
    const socket = connect(port, '127.0.0.1');
    socket.write(head('Content-Length: 0'));
    await until(() => hasLeft);
  });

  it('handles the end of one connection in a turn, also when many clients leave at once in the middle of a body', async () => {
    let begun = 0;
    let ended = 0;
    let inThisTurn = 0;
    let most = 0;
    const port = await listen((request) => {
      begun++;
      request.on('error', () => {});
      request.resume();
    });
    // The parser reports that the body is not complete.
    server?.on('clientError', (_, connection) => {
      ended++;
      most = Math.max(most, ++inThisTurn);
      setImmediate(() => {
        inThisTurn = 0;
      });
      connection.destroy();
    });
    const count = 100;
    const clients = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
    for (const client of clients) client.write(`${head('Content-Length: 1000')}part`);
    await until(() => begun === count);
    for (const client of clients) client.end();
    await until(() => ended === count);
    expect(most).toBe(1);
  });

  it('refuses what is no HTTP', async () => {
    const port = await listen(() => {});
    expect(await exchange(port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('closes a connection whose headers do not come, and one without requests', async () => {
    const port = await listen((_, response) => response.end('done'), {
      connectionsCheckingInterval: 50,
      headersTimeout: 100,
      keepAliveTimeout: 100,
    });
    expect(await exchange(port, 'GET / HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1\.1 408 /);
    expect(await exchange(port, head('Content-Length: 0'))).toMatch(/^HTTP\/1\.1 200 .*done/s);
  });

  it('closes in order', async () => {
    const port = await listen((_, response) => {
      setImmediate(() => response.end('done'));
    });
    const answer = exchange(port, head('Connection: close\r\nContent-Length: 0'));
    expect(await answer).toMatch(/done$/);
    await new Promise<void>((resolve, reject) =>
      server?.close((error) => (error === undefined ? resolve() : reject(error))),
    );
  });
});

describe('the turns', () => {
  it('do usual work first, for a bounded time, and at least one piece of each kind', async () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const turns = new ParseTurns();
    const order: string[] = [];
    const work = (name: string, ms: number) => () => {
      order.push(name);
      now += ms;
    };
    for (const i of [1, 2, 3]) turns.add('costly', work(`costly ${i}`, PARSE_LIMITS.turnMs));
    for (const i of [1, 2, 3]) turns.add('departure', work(`departure ${i}`, 0));
    for (const i of [1, 2]) turns.add('arrival', work(`arrival ${i}`, PARSE_LIMITS.turnMs));
    for (const i of [1, 2, 3]) turns.add('usual', work(`usual ${i}`, PARSE_LIMITS.turnMs / 2));
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    expect(order).toEqual(['usual 1', 'usual 2', 'arrival 1', 'costly 1', 'departure 1']);
    await turn();
    expect(order.slice(5)).toEqual(['usual 3', 'arrival 2', 'costly 2', 'departure 2']);
    await turn();
    expect(order.slice(9)).toEqual(['costly 3', 'departure 3']);
  });

  it('do not take a connection twice because its piece was costly', async () => {
    makePiecesSlow();
    const turns = new ParseTurns();
    let count = 0;
    const work = () => {
      count++;
      turns.add('costly', work);
    };
    turns.add('usual', work);
    await new Promise((resolve) => setImmediate(resolve));
    expect(count).toBe(1);
  });

  it('go on after work that throws', async () => {
    const turns = new ParseTurns();
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
    const own = process.listeners('uncaughtException').slice(0, -1);
    for (const listener of own) process.off('uncaughtException', listener);
    turns.add('costly', () => {
      throw new Error('a fault of the server');
    });
    const next = new Promise<void>((work) => turns.add('costly', work));
    expect(await uncaught).toMatchObject({ message: 'a fault of the server' });
    await next;
    for (const listener of own) process.on('uncaughtException', listener);
  });
});
