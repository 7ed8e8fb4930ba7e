/** Runs the server: it listens, loads the model, answers, and shuts down. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { CogVLM2Error } from '../errors.ts';
import { loadSharp } from '../image/decode.ts';
import type { ModelInfo } from '../index.ts';
import { isLoopback } from './access.ts';
import { ApiError } from './api-error.ts';
import { createApp } from './app.ts';
import { limitIdleConnections } from './connections.ts';
import { createParts, type ServeOptions } from './create-parts.ts';
import { type EngineProcess, startEngineProcess } from './engine/process.ts';
import { HEADERS_TIMEOUT_MS, STREAM_BUFFER_BYTES } from './limits.ts';
import { parseInTurns } from './parse-turns.ts';
import { beginInTurns, limitPipelining } from './pipelining.ts';
import type { ActiveRequests } from './requests.ts';

export type { ServeOptions } from './create-parts.ts';

export interface RunningServer {
  url: string;
  model: ModelInfo;
  /** Refuses new requests, waits for running ones up to the drain time, then stops them. */
  close(): Promise<void>;
}

/** The names in `model` must be unambiguous. @throws CogVLM2Error invalid_value */
function checkAdapterNames({ load, aliases }: ServeOptions, { name }: ModelInfo): void {
  const taken = Object.keys(load.adapters ?? {}).find((each) => ['default', name, ...aliases].includes(each));
  if (taken === undefined) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--adapter ${taken}=… has a name that the model has already; give the adapter another name.`,
  );
}

/**
 * Listens at once, so that probes can see that the model loads, and resolves when the model can answer.
 * @throws CogVLM2Error invalid_value, and those of `CogVLM2.load`
 */
export async function serve(
  options: ServeOptions,
  signal: AbortSignal,
  startProcess: () => EngineProcess = startEngineProcess,
): Promise<RunningServer> {
  checkReach(options);
  const parts = createParts(options, startProcess);
  const { engine, facts, requests } = parts;
  const app = createApp(parts);
  const answer = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // HTTP/1.0 has no Host header. The middleware decides which paths it may use.
    hostname: 'localhost',
  });
  const server = createServer(
    { highWaterMark: STREAM_BUFFER_BYTES },
    limitPipelining(beginInTurns(answer, (url) => url === '/livez')),
  );
  limitIdleConnections(server);
  parseInTurns(server);
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  // Uploads have their own time limit and minimum rate.
  server.requestTimeout = 0;
  const url = await listen(server, options);
  const stopLoading = () => engine.stop();
  try {
    signal.addEventListener('abort', stopLoading);
    // Loading its modules takes 100 ms. Loaded with the first image, they would delay all requests. That image reports a failure.
    loadSharp().catch(() => {});
    const model = await engine.start();
    checkAdapterNames(options, model);
    parts.log.debug({ imageCache: model.imageCache }, 'the image cache on disk');
    signal.throwIfAborted();
    return {
      url,
      model,
      async close() {
        facts.draining = true;
        await drain(server, requests, options.drainSeconds * 1000);
        engine.stop();
      },
    };
  } catch (error) {
    engine.stop();
    server.close();
    server.closeAllConnections();
    if (signal.aborted)
      throw new CogVLM2Error('aborted', 'Stopped while the model was loaded.', { cause: error });
    throw error;
  } finally {
    // From now on, an abort begins the shutdown, in which running requests are still answered.
    signal.removeEventListener('abort', stopLoading);
  }
}

// The socket: listening and closing.

/** @throws CogVLM2Error invalid_value if the address is public and there is no key */
export function checkReach({ host, apiKeys, insecure }: ServeOptions): void {
  if (isLoopback(host) || apiKeys.length > 0 || insecure) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--host is ${host}, which others can reach, but there is no API key: set COGVLM2_API_KEY or --api-key-file, or say --insecure to serve everybody.`,
  );
}

/** @returns the address. @throws CogVLM2Error invalid_value if listening fails */
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

// The shutdown: no new connections; running requests end, or are stopped after the drain time.

export async function drain(server: Server, requests: ActiveRequests, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Connections that became idle in the meantime are not closed automatically.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => {
    requests.stopAll(new ApiError('shutting_down', 'The server is shutting down.'));
    setTimeout(() => server.closeAllConnections(), 1_000).unref();
  }, limitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
