/** Checks the address with a first connection. It loads the Redis client, so it is not in address.ts, which every command loads. */
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
    // Do not include the cause: it contains the command with the password.
    const reason = why instanceof Error ? why.message : String(cause instanceof Error ? cause.message : why);
    throw new CogVLM2Error(
      'endpoint_failed',
      `The queue at ${shown} does not answer: ${reason}. Is Redis running there, and is the password right?`,
    );
  } finally {
    redis.disconnect();
  }
}
