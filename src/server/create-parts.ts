/** Makes the parts of a server from its options: engine, admission, log, metrics, rules of requests. */
import pino from 'pino';
import type { Progress } from '../index.ts';
import { ApiKeys, isLoopback } from './access.ts';
import { Admission, RESERVE_SHARE } from './admission.ts';
import type { AppParts, Facts } from './app-parts.ts';
import { Uploads } from './body/uploads.ts';
import { Engine } from './engine/engine.ts';
import type { EngineProcess } from './engine/process.ts';
import type { EngineLoadOptions } from './engine/protocol.ts';
import { imageFetcher } from './image-fetch.ts';
import { IMAGE_FETCH_LIMITS } from './limits.ts';
import { Metrics } from './metrics.ts';
import { trustedProxies } from './middleware.ts';
import { readPage } from './page.ts';
import { ActiveRequests } from './requests.ts';

export interface ServeOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  apiKeys: readonly string[];
  /** Allows public addresses without an API key. */
  insecure: boolean;
  /** More names of the model. */
  aliases: readonly string[];
  /** The question about an image without text. The default is in the language of the request. */
  imagePrompt?: string | undefined;
  parallel: number;
  maxQueue: number;
  maxPerClient?: number | undefined;
  timeLimitSeconds: number;
  drainSeconds: number;
  maxAnswerTokens?: number | undefined;
  maxBodyBytes: number;
  maxJsonBytes: number;
  maxImagePixels: number;
  allowImageUrls: boolean;
  allowImageHosts: readonly string[];
  allowedHosts: readonly string[];
  /** Other origins whose pages may use the server; `*`: all origins. */
  corsOrigins: readonly string[];
  /** Addresses and networks of trusted proxies. */
  trustedProxies: readonly string[];
  logLevel: string;
  logTo: { write(text: string): void };
  version: string;
  load: EngineLoadOptions;
  onLoading(progress: Progress): void;
}

export function createParts(options: ServeOptions, startProcess: () => EngineProcess): AppParts {
  const adapters = Object.keys(options.load.adapters ?? {});
  const log = pino({ level: options.logLevel, base: null }, options.logTo);
  const engine = new Engine(
    startProcess,
    { ...options.load, maxWaiting: mostQueued(options) },
    {
      onLoading: options.onLoading,
      onCrash: (why, pauseMs) => log.error({ why, pauseMs }, 'the engine ended; it is started again'),
      onRestart: () => log.info('the engine is back'),
    },
  );
  const requests = new ActiveRequests();
  const admission = new Admission({
    parallel: options.parallel,
    maxWaiting: options.maxQueue,
    maxPerClient: options.maxPerClient ?? Number.POSITIVE_INFINITY,
  });
  const metrics = new Metrics(
    {
      running: () => requests.running,
      waiting: () => requests.waiting,
      loaded: () => engine.isReady,
      restarts: () => engine.restarts,
      model: () => engine.model,
      engine: () => engine.stats(),
    },
    {
      version: options.version,
      limits: {
        slots: options.parallel,
        max_queue: options.maxQueue,
        max_per_client: options.maxPerClient ?? Number.POSITIVE_INFINITY,
        max_body_bytes: options.maxBodyBytes,
        max_json_bytes: options.maxJsonBytes,
        max_image_pixels: options.maxImagePixels,
        max_answer_tokens: options.maxAnswerTokens ?? Number.POSITIVE_INFINITY,
        time_limit_seconds: options.timeLimitSeconds,
      },
    },
  );
  const facts: Facts = {
    version: options.version,
    startedAt: Math.floor(Date.now() / 1000),
    allowsImageUrls: options.allowImageUrls || options.allowImageHosts.length > 0,
    draining: false,
  };
  return {
    engine,
    admission,
    requests,
    metrics,
    log,
    facts,
    uploads: new Uploads(),
    bodyLimits: { maxBytes: options.maxBodyBytes, maxJsonBytes: options.maxJsonBytes },
    keys: new ApiKeys(options.apiKeys),
    isTrustedProxy: trustedProxies(options.trustedProxies),
    page: readPage(),
    hosts: isLoopback(options.host) || options.allowedHosts.length > 0 ? options.allowedHosts : null,
    origins: options.corsOrigins,
    rules: {
      /** The name of the model is known after it was loaded. @throws ApiError model_loading */
      get names() {
        return [engine.info.name, ...options.aliases, ...adapters];
      },
      adapters,
      maxAnswers: options.parallel,
      imagePrompt: options.imagePrompt ?? null,
      maxPixels: options.maxImagePixels,
      maxBytes: options.maxBodyBytes,
      fetchImage: imageFetcher({
        allowAny: options.allowImageUrls,
        allowHosts: options.allowImageHosts,
        ...IMAGE_FETCH_LIMITS,
      }),
      maxAnswerTokens: options.maxAnswerTokens ?? Number.POSITIVE_INFINITY,
      timeLimitMs: options.timeLimitSeconds * 1000,
      maxBufferedBytes: 2 ** 20,
      pingMs: 15_000,
    },
  };
}

/** The queue of the scheduler can hold all requests that the server admits. */
function mostQueued({ parallel, maxQueue }: ServeOptions): number {
  return parallel + Math.ceil(maxQueue * (1 + RESERVE_SHARE));
}
