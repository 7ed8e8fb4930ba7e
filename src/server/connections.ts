/**
 * Bounds the connections without a request. Node.js handles what happens to all connections at the same moment in one step of the event
 * loop: 2,000 that are reset at once block it for more than 50 ms. They also need memory. Other limits bound those with a request.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS } from './limits.ts';

/**
 * One more than the limit closes the connection that has had no request for the longest time. So a new client is always let in, and
 * clients with requests, hostile or not, close no connection of others.
 */
export function limitIdleConnections(server: Server, limit: number = CONNECTION_LIMITS.idle): void {
  /** The one that is idle for the longest time comes first. */
  const idle = new Set<Socket>();
  const unanswered = new WeakMap<Socket, number>();
  const add = (connection: Socket) => {
    idle.add(connection);
    const [oldest] = idle;
    if (idle.size <= limit || oldest === undefined) return;
    idle.delete(oldest);
    oldest.destroy();
  };
  server.on('connection', (connection) => {
    connection.once('close', () => idle.delete(connection));
    add(connection);
  });
  server.on('request', ({ socket }, response) => {
    idle.delete(socket);
    unanswered.set(socket, (unanswered.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (unanswered.get(socket) ?? 1) - 1;
      unanswered.set(socket, left);
      if (left === 0 && !socket.destroyed) add(socket);
    });
  });
}
