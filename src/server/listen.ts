/** The socket: where the server listens, and how it stops to. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CogVLM2Error } from '../errors.ts';
import { isLoopback } from './access.ts';
import type { ServeOptions } from './serve-options.ts';

/** @throws CogVLM2Error invalid_value when others could ask, and without a key. */
export function checkReach({ host, apiKeys, insecure }: ServeOptions): void {
  if (isLoopback(host) || apiKeys.length > 0 || insecure) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--host is ${host}, which others can reach, but there is no API key: set COGVLM2_API_KEY or --api-key-file, or say --insecure to serve everybody.`,
  );
}

/** @returns the address. @throws CogVLM2Error invalid_value when it cannot be listened on. */
export async function listen(server: Server, { host, port }: ServeOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'EADDRINUSE'
        ? 'another program listens there; choose another --port'
        : (cause.code ?? cause.message);
    throw new CogVLM2Error('invalid_value', `${host}:${port} cannot be listened on: ${why}.`, { cause });
  });
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
