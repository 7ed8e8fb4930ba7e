/** An HTTP request as the chat handler sees it: its id, its client, its body, and whether the client is still connected. */
import type { Context } from 'hono';
import type { AppParts, Env } from '../app-parts.ts';
import { readJson } from '../body.ts';

export interface IncomingRequest {
  id: string;
  client: string;
  readBody(): Promise<unknown>;
  /** Aborted when the client has disconnected. */
  disconnected: AbortSignal;
}

export function incomingRequest(c: Context<Env>, { facts }: AppParts): IncomingRequest {
  return {
    id: c.get('id'),
    client: c.get('client'),
    readBody: () => readJson(c.req.raw, facts.maxBodyBytes),
    disconnected: c.req.raw.signal,
  };
}

/** Counts a request in the queue while `work` reads its body. This bounds the bodies in memory. */
export async function whileQueued<T>(
  c: Context<Env>,
  { queue }: AppParts,
  work: () => Promise<T>,
): Promise<T> {
  const place = queue.enter(c.get('client'));
  return work().finally(place.leave);
}
