/**
 * Many requests that arrive, or clients that disconnect, at the same moment: on many connections, or on one connection without
 * waiting for answers (pipelining). Each piece of work runs in its own turn of the event loop, because a hundred pieces at once
 * would block it.
 */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS } from './limits.ts';

const waiting: (() => void)[] = [];

/** Runs the work in a later turn of the event loop: in the order of the calls, one piece per turn. */
export function inTurn(work: () => void): void {
  waiting.push(work);
  if (waiting.length === 1) setImmediate(next);
}

function next(): void {
  try {
    waiting[0]?.();
  } finally {
    waiting.shift();
    if (waiting.length > 0) setImmediate(next);
  }
}

/**
 * Begins one request in each turn of the event loop. Without it, Node.js begins all requests that have arrived at once.
 * @param isUrgent whether requests for an address begin at once, because they take almost no time
 */
export function beginInTurns(listener: RequestListener, isUrgent: (url: string) => boolean): RequestListener {
  return (request, response) => {
    if (isUrgent(request.url ?? '')) listener(request, response);
    else inTurn(() => !request.socket.destroyed && listener(request, response));
  };
}

/**
 * Node.js begins all requests that arrive in one piece, which could be a thousand, before it serves another connection.
 * Closes a connection with more unanswered requests than the limit. No known client does that.
 */
export function limitPipelining(listener: RequestListener): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    // The rest of a piece that began too many.
    if (socket.destroyed) return;
    const count = (unanswered.get(socket) ?? 0) + 1;
    if (count > CONNECTION_LIMITS.pipelined) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, count);
    response.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    listener(request, response);
  };
}
