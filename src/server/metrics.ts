/** The metrics of /metrics in the format of Prometheus. The values of each label are from a short list. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Answer } from '../index.ts';
import type { ApiCode } from './api-error.ts';
import type { EngineStats } from './engine/protocol.ts';

const QUICK = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const SLOW = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Number of recent answers for the median time of an image. */
const MEASURED_ANSWERS = 15;

/** Values that are read at each request. */
export interface Live {
  running(): number;
  waiting(): number;
  loaded(): boolean;
  restarts(): number;
  /** The model's name and device; null until it is loaded. */
  model(): { name: string; device: string } | null;
  /** One call for all statistics of the engine; null while there is no engine. */
  engine(): Promise<Pick<
    EngineStats,
    'kvTokens' | 'kvTokensUsed' | 'kvTokensRunning' | 'gpuMemory' | 'eventLoopMs'
  > | null>;
}

/** Values that do not change. */
export interface Fixed {
  version: string;
  limits: Readonly<Record<string, number>>;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #live: Live;
  readonly #kvCacheUsage: Gauge;
  readonly #kvCacheRunning: Gauge;
  readonly #gpuMemory: Gauge<'kind'>;
  readonly #engineLag: Gauge;
  readonly #requests: Counter<'endpoint' | 'code'>;
  readonly #promptTokens: Counter;
  readonly #generatedTokens: Counter;
  readonly #images: Counter<'source'>;
  readonly #successes: Counter<'finish_reason'>;
  readonly #failures: Counter<'error'>;
  readonly #cacheHits: Counter;
  readonly #seconds: Record<Stage, Histogram>;
  readonly #imageSeconds: number[] = [];

  constructor(live: Live, { version, limits }: Fixed) {
    this.#live = live;
    const registers = [this.#registry];
    // Default metrics of this process, with the standard names of Prometheus clients.
    collectDefaultMetrics({ register: this.#registry });
    const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Counter({ name: `cogvlm2_${name}`, help, labelNames, registers });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name: `cogvlm2_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    const seconds = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name: `cogvlm2_${name}_seconds`, help, buckets, registers });

    this.#requests = counter('requests_total', 'Requests, by endpoint and status', ['endpoint', 'code']);
    this.#promptTokens = counter('prompt_tokens_total', 'Tokens of the prompts, with image tokens');
    this.#generatedTokens = counter('generation_tokens_total', 'Tokens of the answers');
    this.#images = counter('images_total', 'Images and videos, by source', ['source']);
    this.#successes = counter('request_success_total', 'Whole answers, by what ended them', [
      'finish_reason',
    ]);
    this.#cacheHits = counter('image_cache_hits_total', 'Images that were found encoded in the cache');
    gauge('requests_running', 'Answers that have KV memory: encoding, prefilling or decoding', live.running);
    gauge(
      'requests_waiting',
      'Answers in the queue of the scheduler, and requests whose body arrives',
      live.waiting,
    );
    gauge('model_loaded', '1 when the model can answer', () => (live.loaded() ? 1 : 0));
    const number = (name: string, help: string) => new Gauge({ name: `cogvlm2_${name}`, help, registers });
    this.#kvCacheUsage = number('kv_cache_usage_ratio', 'Share of the KV memory that is allocated, 0 to 1');
    this.#kvCacheRunning = number(
      'kv_cache_running_ratio',
      'Share of the KV memory that running sequences use, 0 to 1; the rest of what is allocated is the prefix cache',
    );
    this.#engineLag = number(
      'engine_eventloop_lag_max_seconds',
      "Longest block of the event loop of the engine's process since it was last asked",
    );
    this.#gpuMemory = new Gauge({
      name: 'cogvlm2_gpu_memory_bytes',
      help: 'Memory of the GPU, whichever programs use it; nothing on a CPU',
      labelNames: ['kind'],
      registers,
    });
    this.#failures = counter('request_failures_total', 'Answers that failed or were cancelled, by the code', [
      'error',
    ]);
    new Counter({
      name: 'cogvlm2_engine_restarts_total',
      help: 'How often the engine ended by itself and was started again',
      registers,
      collect() {
        this.reset();
        this.inc(live.restarts());
      },
    });
    new Gauge({
      name: 'cogvlm2_build_info',
      help: 'Always 1; what runs is in the labels',
      labelNames: ['version', 'model', 'device'],
      registers,
      collect() {
        this.reset();
        const { name = '', device = '' } = live.model() ?? {};
        this.set({ version, model: name, device }, 1);
      },
    });
    const limit = new Gauge({
      name: 'cogvlm2_limit',
      help: 'The limits of the server, by their flag; without those that are off',
      labelNames: ['name'],
      registers,
    });
    for (const [name, value] of Object.entries(limits))
      if (Number.isFinite(value)) limit.set({ name }, value);
    this.#seconds = {
      firstToken: seconds('time_to_first_token', 'From the request to the first text', SLOW),
      perToken: seconds('time_per_output_token', 'Each decode step', QUICK),
      request: seconds('e2e_request_latency', 'From the request to the end of its answer', SLOW),
      queue: seconds('request_queue_time', 'In the queue of the scheduler', SLOW),
      prefill: seconds('request_prefill_time', 'Running the prompt', SLOW),
      imageEncode: seconds('image_encode', 'Encoding an image', SLOW),
      imageFetch: seconds('image_fetch', 'Fetching an image by its URL', SLOW),
    };
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The current metrics as text. */
  async text(): Promise<string> {
    const stats = await this.#live.engine();
    this.#kvCacheUsage.set(stats === null ? 0 : stats.kvTokensUsed / stats.kvTokens);
    this.#kvCacheRunning.set(stats === null ? 0 : stats.kvTokensRunning / stats.kvTokens);
    this.#engineLag.set((stats?.eventLoopMs ?? 0) / 1000);
    this.#gpuMemory.reset();
    if (stats?.gpuMemory) {
      this.#gpuMemory.set({ kind: 'used' }, stats.gpuMemory.usedBytes);
      this.#gpuMemory.set({ kind: 'total' }, stats.gpuMemory.totalBytes);
    }
    return this.#registry.metrics();
  }

  request(endpoint: string, status: number): void {
    this.#requests.inc({ endpoint, code: String(status) });
  }

  /** Counts an answer that failed or was cancelled, whole or streamed. */
  failure(error: ApiCode): void {
    this.#failures.inc({ error });
  }

  image(source: 'data' | 'url' | 'video' | 'frames'): void {
    this.#images.inc({ source });
  }

  time(stage: Stage, ms: number): void {
    this.#seconds[stage].observe(ms / 1000);
  }

  /** Median time of recent answers about new images, without the time in the queue; null before the first. */
  get secondsPerImage(): number | null {
    const sorted = [...this.#imageSeconds].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }

  answer({ finishReason, usage, timings }: Answer): void {
    if (timings.visionMs > 0 && finishReason !== 'aborted') {
      this.#imageSeconds.push((timings.totalMs - timings.queueMs) / 1000);
      if (this.#imageSeconds.length > MEASURED_ANSWERS) this.#imageSeconds.shift();
    }
    this.#promptTokens.inc(usage.promptTokens);
    this.#generatedTokens.inc(usage.completionTokens);
    this.#successes.inc({ finish_reason: finishReason });
    this.time('queue', timings.queueMs);
    this.time('prefill', timings.prefillMs);
    for (const ms of timings.perTokenMs) this.time('perToken', ms);
    if (timings.visionMs > 0) this.time('imageEncode', timings.visionMs);
    else if (usage.imageTokens > 0) this.#cacheHits.inc();
  }
}

export type Stage =
  | 'firstToken'
  | 'perToken'
  | 'request'
  | 'queue'
  | 'prefill'
  | 'imageEncode'
  | 'imageFetch';
