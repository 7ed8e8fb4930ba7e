/** The server from its beginning to its end: it listens, loads the model, answers, and ends in order. */
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { CogVLM2Error } from '../errors.ts';
import type { ModelInfo } from '../index.ts';
import { createApp } from './app.ts';
import { createParts } from './create-parts.ts';
import { drain } from './drain.ts';
import { type EngineProcess, startEngineProcess } from './engine/process.ts';
import { HEADERS_TIMEOUT_MS } from './limits.ts';
import { checkReach, listen } from './listen.ts';
import type { ServeOptions } from './serve-options.ts';

export type { ServeOptions } from './serve-options.ts';

export interface RunningServer {
  url: string;
  model: ModelInfo;
  /** Takes no more requests, lets those under way end for as long as was set, then stops them. */
  close(): Promise<void>;
}

/** A request's `model` must mean one thing. @throws CogVLM2Error invalid_value */
function checkAdapterNames({ load, aliases }: ServeOptions, { name }: ModelInfo): void {
  const taken = Object.keys(load.adapters ?? {}).find((each) => ['default', name, ...aliases].includes(each));
  if (taken === undefined) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--adapter ${taken}=… has a name that the model has already; give the adapter another name.`,
  );
}

/**
 * Listens at once, so that probes see the model load, and resolves when it can answer.
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
  const server = createServer(
    getRequestListener(app.fetch, {
      overrideGlobalObjects: false,
      // HTTP/1.0 has no Host header; which paths it may ask for is decided by the middleware.
      hostname: 'localhost',
    }),
  );
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  // Uploads have a time limit and a minimum rate of their own.
  server.requestTimeout = 0;
  const url = await listen(server, options);
  const stopLoading = () => engine.stop();
  try {
    signal.addEventListener('abort', stopLoading);
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
    // From here on an abort begins the end, in which requests under way are still answered.
    signal.removeEventListener('abort', stopLoading);
  }
}
