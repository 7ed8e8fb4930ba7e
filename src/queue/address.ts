/** The address of the queue: `redis://user:password@host:port/db`, or `rediss://` with TLS. */
import { isIP } from 'node:net';
import { CogVLM2Error } from '../errors.ts';

export interface QueueAddress {
  readonly url: string;
  /** Without user and password, for messages and files. */
  readonly shown: string;
  /** Others on the network can read the jobs or add jobs. */
  readonly isOpen: boolean;
}

/** @throws CogVLM2Error invalid_value. The message does not repeat the address, which may contain a password. */
export function parseQueueAddress(text: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new CogVLM2Error(
      'invalid_value',
      'The queue must be an address such as redis://127.0.0.1:6379, or rediss://user:password@host:6380 with TLS.',
    );
  }
  const isProtected = url.protocol === 'rediss:' && url.password !== '';
  const shown = `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
  return { url: text, shown, isOpen: !isProtected && !isLoopback(url.hostname) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Checks the address with a first connection. @throws CogVLM2Error endpoint_failed */
export async function checkQueue({ url, shown }: QueueAddress): Promise<void> {
  // Every command loads this file, but few need the Redis client.
  const { Redis } = await import('ioredis');
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
