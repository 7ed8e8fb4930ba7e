/** Requests that arrive in the same moment: in one connection, without waiting for answers (pipelining), or in many. */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS } from './limits.ts';
import { inTurn } from './turns.ts';

/**
 * Begins one request in each turn of the event loop. Node.js begins all at once that have arrived.
 * @param isUrgent of an address whose requests do not wait, because they take hardly any time
 */
export function beginInTurns(listener: RequestListener, isUrgent: (url: string) => boolean): RequestListener {
  return (request, response) => {
    if (isUrgent(request.url ?? '')) listener(request, response);
    else inTurn(() => !request.socket.destroyed && listener(request, response));
  };
}

/**
 * Node.js begins all requests that arrive in one piece, which could be a thousand, before any other connection has its turn.
 * Closes a connection with more unanswered requests than the limit. No known client sends any so.
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
