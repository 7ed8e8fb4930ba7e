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
