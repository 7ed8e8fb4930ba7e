/** The server put together: the engine's process, the queue, the routes, a socket; and taken apart again. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import pino from 'pino';
import { CogVLM2Error } from '../errors.ts';
import type { ModelInfo, Progress } from '../index.ts';
import { ApiKeys, isLoopback } from './access.ts';
import { ApiError } from './api-error.ts';
import { createApp } from './app.ts';
import { Engine } from './engine/engine.ts';
import { type EngineProcess, startEngineProcess } from './engine/process.ts';
import type { EngineLoadOptions } from './engine/protocol.ts';
import type { Facts } from './facts.ts';
import { imageFetcher } from './image-fetch.ts';
import { Metrics } from './metrics.ts';
import { readPage } from './page.ts';
import { FairQueue } from './queue.ts';
import { RunningRequests } from './running.ts';

export interface ServeOptions {
  host: string;
  /** 0 takes any that is free. */
  port: number;
  apiKeys: readonly string[];
  /** Listens beyond this machine without a key. */
  insecure: boolean;
  /** Further names of the model. */
  aliases: readonly string[];
  parallel: number;
  maxQueue: number;
  maxPerClient?: number | undefined;
  timeLimitSeconds: number;
  drainSeconds: number;
  maxAnswerTokens?: number | undefined;
  maxBodyBytes: number;
  maxImagePixels: number;
  allowImageUrls: boolean;
  allowImageHosts: readonly string[];
  allowedHosts: readonly string[];
  corsOrigins: readonly string[];
  logLevel: string;
  logTo: { write(text: string): void };
  version: string;
  load: EngineLoadOptions;
  onLoading(progress: Progress): void;
}

export interface RunningServer {
  url: string;
  model: ModelInfo;
  /** Takes no more requests, lets those under way end for as long as was set, then stops them. */
  close(): Promise<void>;
}

/** A picture of the network may take this long, and be this large, whatever the body's limit is. */
const FETCH_LIMITS = { timeoutMs: 10_000, maxBytes: 20_000_000 };

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
  const log = pino({ level: options.logLevel, base: null }, options.logTo);
  const engine = new Engine(startProcess, options.load, {
    onLoading: options.onLoading,
    onCrash: (why, pauseMs) => log.error({ why, pauseMs }, 'the engine ended; it is started again'),
    onRestart: () => log.info('the engine is back'),
  });
  const running = new RunningRequests();
  const queue = new FairQueue({
    parallel: options.parallel,
    maxWaiting: options.maxQueue,
    maxPerClient: options.maxPerClient ?? Number.POSITIVE_INFINITY,
  });
  const metrics = new Metrics({
    running: () => queue.running,
    waiting: () => queue.waiting,
    loaded: () => engine.isReady,
    restarts: () => engine.restarts,
    engine: () => engine.stats(),
  });
  const names: string[] = [];
  const facts: Facts = {
    version: options.version,
    startedAt: Math.floor(Date.now() / 1000),
    maxBodyBytes: options.maxBodyBytes,
    allowsImageUrls: options.allowImageUrls || options.allowImageHosts.length > 0,
    draining: false,
  };
  const app = createApp({
    engine,
    queue,
    running,
    metrics,
    log,
    facts,
    keys: new ApiKeys(options.apiKeys),
    page: readPage(),
    hosts: isLoopback(options.host) || options.allowedHosts.length > 0 ? options.allowedHosts : null,
    origins: options.corsOrigins,
    rules: {
      names,
      maxPixels: options.maxImagePixels,
      maxBytes: options.maxBodyBytes,
      fetchImage: imageFetcher({
        allowAny: options.allowImageUrls,
        allowHosts: options.allowImageHosts,
        ...FETCH_LIMITS,
      }),
      maxAnswerTokens: options.maxAnswerTokens ?? Number.POSITIVE_INFINITY,
      timeLimitMs: options.timeLimitSeconds * 1000,
      maxBufferedBytes: 2 ** 20,
      pingMs: 15_000,
    },
  });
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  const url = await listen(server, options);
  const stopLoading = () => engine.stop();
  try {
    signal.addEventListener('abort', stopLoading);
    const model = await engine.start();
    signal.throwIfAborted();
    names.push(model.name, ...options.aliases);
    return {
      url,
      model,
      async close() {
        facts.draining = true;
        await drain(server, running, options.drainSeconds * 1000);
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

function checkReach({ host, apiKeys, insecure }: ServeOptions): void {
  if (isLoopback(host) || apiKeys.length > 0 || insecure) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--host is ${host}, which others can reach, but there is no API key: set COGVLM2_API_KEY or --api-key-file, or say --insecure to serve everybody.`,
  );
}

async function listen(server: Server, { host, port }: ServeOptions): Promise<string> {
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

async function drain(server: Server, running: RunningRequests, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that has become idle meanwhile is not closed by itself.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => {
    running.stopAll(new ApiError('shutting_down', 'The server is shutting down.'));
    setTimeout(() => server.closeAllConnections(), 1_000).unref();
  }, limitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
