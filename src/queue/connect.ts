/** Checks the address with a first connection. Not part of address.ts: every command loads that file, and this one loads the Redis client. */
import { Redis } from 'ioredis';
import { CogVLM2Error } from '../errors.ts';
import type { QueueAddress } from './address.ts';

/** @throws CogVLM2Error endpoint_failed */
export async function checkQueue({ url, shown }: QueueAddress): Promise<void> {
  let why: unknown = 'no answer';
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 10_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  redis.on('error', (error) => {
    why = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    // The cause is not passed on: it contains the command and so the password.
    const reason = why instanceof Error ? why.message : String(cause instanceof Error ? cause.message : why);
    throw new CogVLM2Error(
      'endpoint_failed',
      `The queue at ${shown} does not answer: ${reason}. Is Redis running there, and is the password right?`,
    );
  } finally {
    redis.disconnect();
  }
}
