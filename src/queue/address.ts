/** `redis://user:password@host:port/db`, or `rediss://` with TLS: where the queue is. */
import { isIP } from 'node:net';
import { CogVLM2Error } from '../errors.ts';

export interface QueueAddress {
  readonly url: string;
  /** Without user and password: what may be shown and written down. */
  readonly shown: string;
  /** Nothing keeps others on the network from reading along, or from putting jobs in. */
  readonly isOpen: boolean;
}

/** @throws CogVLM2Error invalid_value, which does not repeat the address: it may hold a password */
export function parseQueueAddress(text: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new CogVLM2Error(
      'invalid_value',
      'The queue is not an address such as redis://127.0.0.1:6379, or rediss://user:password@host:6380 with TLS.',
    );
  }
  const isProtected = url.protocol === 'rediss:' && url.password !== '';
  const shown = `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
  return { url: text, shown, isOpen: !isProtected && !isLoopback(url.hostname) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}
