/** The end: no new connections, what is under way ends by itself or is stopped after a while. */
import type { Server } from 'node:http';
import { ApiError } from './api-error.ts';
import type { ActiveRequests } from './requests.ts';

export async function drain(server: Server, requests: ActiveRequests, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that has become idle meanwhile is not closed by itself.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => {
    requests.stopAll(new ApiError('shutting_down', 'The server is shutting down.'));
    setTimeout(() => server.closeAllConnections(), 1_000).unref();
  }, limitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
