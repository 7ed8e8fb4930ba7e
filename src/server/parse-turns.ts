/**
 * Passes the bytes of connections to the HTTP parser in small pieces. Node.js parses everything that one read of a socket returns
 * (64 KiB) in one step of the event loop. This is cheap for a normal body. But 64 KiB can contain 10,000 chunks of one byte or
 * 1,500 requests, and a hundred connections can be readable at the same time. So each turn of the event loop parses for a limited
 * time, for all connections together.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { PARSE_LIMITS } from './limits.ts';

/** Call this before the server listens. */
export function parseInTurns(server: Server): void {
  const turns = new ParseTurns();
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    // The connection may be reset before its turn.
    socket.on('error', () => {});
    turns.add('arrival', () => {
      if (socket.destroyed) return;
      const connection = new PiecewiseConnection(socket, turns);
      for (const listener of listeners) listener.call(server, connection);
    });
  });
}

/**
 * Kinds of waiting work, in the order of their priority: pieces of normal connections; new connections; pieces of connections whose
 * last piece took long; connections that end. So normal clients do not wait for a hundred hostile ones. Departures are last, because
 * the server handles the end of a connection after the work itself, so its time cannot be measured here.
 */
const KINDS = ['usual', 'arrival', 'costly', 'departure'] as const;
type Kind = (typeof KINDS)[number];

/** Each turn works for a limited time, and does at least one item of each kind, so that no kind starves. It does only one departure. */
export class ParseTurns {
  readonly #waiting: Readonly<Record<Kind, (() => void)[]>> = {
    usual: [],
    arrival: [],
    costly: [],
    departure: [],
  };
  #isScheduled = false;

  add(kind: Kind, work: () => void): void {
    this.#waiting[kind].push(work);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      try {
        this.#turn();
      } finally {
        if (this.#kinds().length > 0) this.#schedule();
      }
    });
  }

  #turn(): void {
    const endsAt = performance.now() + PARSE_LIMITS.turnMs;
    for (const kind of this.#kinds()) {
      const works = this.#waiting[kind];
      do works.shift()?.();
      while (kind !== 'departure' && works.length > 0 && performance.now() < endsAt);
    }
  }

  /** The kinds that have work. */
  #kinds(): Kind[] {
    return KINDS.filter((kind) => this.#waiting[kind].length > 0);
  }
}

/** The connection that the HTTP server gets. It has the members of `net.Socket` that node:http and this server use. */
class PiecewiseConnection extends Duplex {
  readonly #socket: Socket;
  readonly #turns: ParseTurns;
  #isWaiting = false;
  #isCostly = false;

  constructor(socket: Socket, turns: ParseTurns) {
    super({ readableHighWaterMark: PARSE_LIMITS.pieceBytes, decodeStrings: false });
    this.#socket = socket;
    this.#turns = turns;
    socket.on('readable', () => this.#askForTurn());
    // Node.js reports the ends of all connections in the same step of the event loop.
    socket.on('end', () => turns.add('departure', () => this.push(null)));
    socket.on('timeout', () => this.emit('timeout'));
    let reason: Error | undefined;
    socket.on('error', (error) => {
      reason = error;
    });
    socket.on('close', () => turns.add('departure', () => this.destroy(reason)));
    // While the server pauses the connection, because its body is not read, nothing is parsed.
    this.on('resume', () => this.#askForTurn());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** As in `net.Socket`. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    this.#socket.setTimeout(timeoutMs);
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    return this;
  }

  /** As in `net.Socket`: closes the connection when all data is written. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy()).end();
  }

  override _read(): void {
    if (this.#socket.readableLength > 0) this.#askForTurn();
  }

  override _write(
    chunk: string | Uint8Array,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ) {
    this.#socket.write(chunk, encoding, done);
  }

  override _writev(
    chunks: { chunk: string | Uint8Array; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    for (const [i, { chunk, encoding }] of chunks.entries()) {
      this.#socket.write(chunk, encoding, i === chunks.length - 1 ? done : undefined);
    }
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #askForTurn(): void {
    if (this.#isWaiting || this.readableFlowing !== true) return;
    this.#isWaiting = true;
    // A socket without bytes has ended.
    const kind = this.#socket.readableLength === 0 ? 'departure' : this.#isCostly ? 'costly' : 'usual';
    this.#turns.add(kind, () => this.#parse());
  }

  #parse(): void {
    this.#isWaiting = false;
    if (this.destroyed || this.readableFlowing !== true) return;
    const piece: unknown = this.#socket.read(Math.min(PARSE_LIMITS.pieceBytes, this.#socket.readableLength));
    if (piece === null) return;
    const startedAt = performance.now();
    // The stream is flowing, so the HTTP server parses the piece during this call.
    this.push(piece);
    this.#isCostly = performance.now() - startedAt > PARSE_LIMITS.costlyMs;
    if (this.#socket.readableLength > 0) this.#askForTurn();
  }
}
