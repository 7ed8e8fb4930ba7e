/**
 * Requests that a client sends in one connection without waiting for answers (pipelining). Node.js begins all that arrive
 * in one piece at once, which could be a thousand, before any other connection has its turn.
 */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS } from './limits.ts';

/** Closes a connection with more unanswered requests than the limit. No known client sends any so. */
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
