/**
 * Bounds the open connections. Node.js handles what happens to all of them at the same moment in one step of the event loop: 2,000
 * connections that are reset at once block it for more than 50 ms. They also need memory.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS } from './limits.ts';

/**
 * One connection more than the limit closes the one that has had no request for the longest time. A client whose first request is on
 * its way is never the oldest one for long. If all of them have requests, none is closed: other limits bound these.
 */
export function limitConnections(server: Server, limit: number = CONNECTION_LIMITS.open): void {
  /** Connections without a request; the one that is idle for the longest time comes first. */
  const idle = new Set<Socket>();
  const unanswered = new WeakMap<Socket, number>();
  let open = 0;
  server.on('connection', (connection) => {
    open++;
    connection.once('close', () => {
      open--;
      idle.delete(connection);
    });
    const [oldest] = idle;
    idle.add(connection);
    if (open <= limit || oldest === undefined) return;
    idle.delete(oldest);
    oldest.destroy();
  });
  server.on('request', ({ socket }, response) => {
    idle.delete(socket);
    unanswered.set(socket, (unanswered.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (unanswered.get(socket) ?? 1) - 1;
      unanswered.set(socket, left);
      if (left === 0 && !socket.destroyed) idle.add(socket);
    });
  });
}
