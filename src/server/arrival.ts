/** A request as those see it who answer it: who asks, its body, and whether the client is still there. */
import type { Context } from 'hono';
import type { AppParts, Env } from './app-parts.ts';
import { readJson } from './body.ts';
import type { Arrival } from './chat/checked.ts';

export function arrivalOf(c: Context<Env>, { facts }: AppParts): Arrival {
  return {
    id: c.get('id'),
    client: c.get('client'),
    readBody: () => readJson(c.req.raw, facts.maxBodyBytes),
    left: c.req.raw.signal,
  };
}

/** What reads a body takes a place in the queue for so long: the bodies held at one time are bounded. */
export async function inPlace<T>(c: Context<Env>, { queue }: AppParts, work: () => Promise<T>): Promise<T> {
  const place = queue.enter(c.get('client'));
  return work().finally(place.leave);
}
