/** The whole server without sockets and processes: the app, and an engine that is connected in memory. */
import pino from 'pino';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { ApiKeys } from '../../src/server/access.ts';
import { Admission, type AdmissionLimits } from '../../src/server/admission.ts';
import { createApp } from '../../src/server/app.ts';
import type { AppParts, ChatRules } from '../../src/server/app-parts.ts';
import { Uploads } from '../../src/server/body/uploads.ts';
import { Engine } from '../../src/server/engine/engine.ts';
import { hostEngine } from '../../src/server/engine/host.ts';
import type { EngineProcess } from '../../src/server/engine/process.ts';
import type { FromEngine, HostedModel, Port, ToEngine } from '../../src/server/engine/protocol.ts';
import { imageFetcher } from '../../src/server/image-fetch.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { ActiveRequests } from '../../src/server/requests.ts';
import { type RunningServer, type ServeOptions, serve } from '../../src/server/serve.ts';
import { demo } from './served.ts';

/** A connection in memory. Messages are cloned and arrive later, like between processes. After `cut`, no message arrives. */
export function line(): { parent: EngineProcess; child: Port<FromEngine, ToEngine> } {
  const toParent: ((message: FromEngine) => void)[] = [];
  const toChild: ((message: ToEngine) => void)[] = [];
  const onClose: ((why: string) => void)[] = [];
  let isCut = false;
  const deliver = <T>(listeners: ((message: T) => void)[]) => {
    return (message: T) => {
      const copy = structuredClone(message);
      setImmediate(() => {
        if (!isCut) for (const listener of [...listeners]) listener(copy);
      });
    };
  };
  const parent: EngineProcess = {
    send: deliver(toChild),
    onMessage: (listener) => toParent.push(listener),
    onClose: (listener) => onClose.push(listener),
    kill() {
      if (isCut) return;
      isCut = true;
      for (const listener of onClose) listener('it was killed');
    },
  };
  const child: Port<FromEngine, ToEngine> = {
    send: deliver(toParent),
    onMessage: (listener) => toChild.push(listener),
    onClose: () => {},
  };
  return { parent, child };
}

export interface AppOptions {
  /** Default: the demo model. */
  load?: () => Promise<HostedModel>;
  rules?: Partial<ChatRules>;
  admission?: Partial<AdmissionLimits>;
  keys?: string[];
  parts?: Partial<AppParts>;
  logTo?: { write(text: string): void };
}

const loadDemo = () => CogVLM2.load({ model: demo, device: 'cpu', threads: 1 });

export async function testApp({
  load = loadDemo,
  rules,
  admission: limits,
  keys = [],
  parts,
  logTo,
}: AppOptions = {}) {
  const lines: EngineProcess[] = [];
  const start = () => {
    lines.push(engineOn(load));
    return lines.at(-1)!;
  };
  const engine = new Engine(start, {});
  const admission = new Admission({ parallel: 2, maxWaiting: 8, maxPerClient: 100, ...limits });
  const requests = new ActiveRequests();
  const names = ['demo', 'also'];
  const metrics = new Metrics(
    {
      running: () => requests.running,
      waiting: () => requests.waiting,
      loaded: () => engine.isReady,
      restarts: () => engine.restarts,
      model: () => engine.model,
      engine: async () => ({
        kvTokens: 100,
        kvTokensUsed: 50,
        kvTokensRunning: 25,
        gpuMemory: { usedBytes: 3e9, totalBytes: 24e9 },
        eventLoopMs: 12,
      }),
    },
    { version: '1.2.3', limits: { slots: 2, max_per_client: Number.POSITIVE_INFINITY } },
  );
  const facts = {
    version: '1.2.3',
    startedAt: 1,
    allowsImageUrls: false,
    draining: false,
  };
  const app = createApp({
    engine,
    admission,
    requests,
    metrics,
    facts,
    uploads: new Uploads(),
    bodyLimits: { maxBytes: 2 ** 22, maxJsonBytes: 2 ** 20 },
    log: pino({ level: logTo ? 'debug' : 'silent', base: null }, logTo ?? { write() {} }),
    keys: new ApiKeys(keys),
    isTrustedProxy: () => false,
    page: { html: '<p>page</p>', headers: { etag: '"1"' } },
    hosts: null,
    origins: [],
    rules: {
      names,
      maxAnswers: 2,
      adapters: [],
      imagePrompt: null,
      maxPixels: 1_000_000,
      maxBytes: 2 ** 22,
      fetchImage: imageFetcher({ allowAny: false, allowHosts: [], maxBytes: 1000, timeoutMs: 1000 }),
      maxAnswerTokens: 1000,
      timeLimitMs: 60_000,
      maxBufferedBytes: 2 ** 16,
      pingMs: 60_000,
      ...rules,
    },
    ...parts,
  });
  const started = engine.start();
  const post = (path: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    app.request(path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
      ...(signal && { signal }),
    });
  return {
    app,
    engine,
    facts,
    admission,
    requests,
    started,
    post,
    /** A chat request with a question and `fields`. */
    chat: (fields: object = {}, headers: Record<string, string> = {}, signal?: AbortSignal) =>
      post(
        '/v1/chat/completions',
        { messages: [{ role: 'user', content: 'Why?' }], ...fields },
        headers,
        signal,
      ),
    /** Ends the engine's process, like SIGKILL. */
    crash: () => lines.at(-1)!.kill(),
  };
}

export type TestApp = Awaited<ReturnType<typeof testApp>>;

/** An engine that is connected in memory. */
function engineOn(load: () => Promise<HostedModel>): EngineProcess {
  const { parent, child } = line();
  hostEngine(child, load);
  return parent;
}

export interface Listening extends RunningServer, AsyncDisposable {
  log(): string;
}

/** The server with a socket, and the engine in this process: two slots, and a queue of three. */
export async function listening(
  options: Partial<ServeOptions> = {},
  load: () => Promise<HostedModel> = loadDemo,
): Promise<Listening> {
  let log = '';
  const all: ServeOptions = {
    host: '127.0.0.1',
    port: 0,
    apiKeys: [],
    insecure: false,
    aliases: [],
    parallel: 2,
    maxQueue: 3,
    timeLimitSeconds: 60,
    drainSeconds: 0,
    maxBodyBytes: 2 ** 25,
    maxJsonBytes: 2 ** 20,
    maxImagePixels: 1_000_000,
    allowImageUrls: false,
    allowImageHosts: [],
    allowedHosts: [],
    corsOrigins: [],
    trustedProxies: [],
    logLevel: 'info',
    logTo: {
      write(text) {
        log += text;
      },
    },
    version: '1.2.3',
    load: {},
    onLoading() {},
    ...options,
  };
  const server = await serve(all, new AbortController().signal, () => engineOn(load));
  return { ...server, log: () => log, [Symbol.asyncDispose]: server.close };
}

/** The data of the events of a stream that were sent so far. */
export async function eventsOf(response: Response): Promise<unknown[]> {
  return eventsIn(await response.text());
}

export function eventsIn(text: string): unknown[] {
  return text
    .split('\n\n')
    .flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? [])
    .map((data) => (data === '[DONE]' ? data : JSON.parse(data)));
}
