/**
 * The bytes of a connection reach the HTTP parser in small pieces. Node.js parses all that one read of a socket returns, 64 KiB, before
 * anything else has its turn. That is cheap for a usual body, but 64 KiB can also be 10,000 chunks of one byte or 1,500 requests, and a hundred
 * connections can be read in the same moment. So each turn of the event loop parses for a bounded time, all connections together.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { PARSE_LIMITS } from './limits.ts';

/** Call it before the server listens. */
export function parseInTurns(server: Server): void {
  const turns = new ParseTurns();
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    // It may be reset before its turn.
    socket.on('error', () => {});
    turns.add('arrival', () => {
      if (socket.destroyed) return;
      const connection = new PiecewiseConnection(socket, turns);
      for (const listener of listeners) listener.call(server, connection);
    });
  });
}

/**
 * Work that waits for its turn, in the order in which it is done: pieces of usual connections, new connections, and pieces of
 * connections whose last piece took long. So honest clients do not wait behind a hundred hostile ones. At last connections that end: what
 * the end of a connection causes happens after the work itself, so its time is not known.
 */
const KINDS = ['usual', 'arrival', 'costly', 'departure'] as const;
type Kind = (typeof KINDS)[number];

/** Each turn does work for a bounded time, and at least one piece of each kind, so that none waits forever. Of departures it does one. */
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

  /** Those with work. */
  #kinds(): Kind[] {
    return KINDS.filter((kind) => this.#waiting[kind].length > 0);
  }
}

/** A connection as the HTTP server sees it. It has what node:http and this server use of a `net.Socket`. */
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
    socket.on('end', () => this.push(null));
    socket.on('timeout', () => this.emit('timeout'));
    let reason: Error | undefined;
    socket.on('error', (error) => {
      reason = error;
    });
    socket.on('close', () => turns.add('departure', () => this.destroy(reason)));
    // Nothing is parsed while the server pauses the connection, because its body is not read.
    this.on('resume', () => this.#askForTurn());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** As that of `net.Socket`. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    this.#socket.setTimeout(timeoutMs);
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    return this;
  }

  /** As that of `net.Socket`: closes the connection once all is written. */
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
    // Without bytes, the socket has ended.
    const kind = this.#socket.readableLength === 0 ? 'departure' : this.#isCostly ? 'costly' : 'usual';
    this.#turns.add(kind, () => this.#parse());
  }

  #parse(): void {
    this.#isWaiting = false;
    if (this.destroyed || this.readableFlowing !== true) return;
    const piece: unknown = this.#socket.read(Math.min(PARSE_LIMITS.pieceBytes, this.#socket.readableLength));
    if (piece === null) return;
    const startedAt = performance.now();
    // The stream flows, so this is where the HTTP server parses the piece.
    this.push(piece);
    this.#isCostly = performance.now() - startedAt > PARSE_LIMITS.costlyMs;
    if (this.#socket.readableLength > 0) this.#askForTurn();
  }
}
