/**
 * Everything that the commands call in other folders, behind one interface. Modules are imported when a command calls them, so
 * `--help` loads neither the engine nor native libraries. Tests pass a scripted implementation.
 */

import type { BatchCounts, BatchOptions } from '../batch/batch.ts';
import type { WorkOptions } from '../batch/queue-backend.ts';
import type { FoundSources } from '../batch/sources.ts';
import type { BenchOptions, runBench } from '../bench/bench.ts';
import type { ConvertOptions, convertToGguf } from '../checkpoint/convert.ts';
import type { listModels } from '../checkpoint/find.ts';
import type { AdapterSource } from '../checkpoint/peft/adapter.ts';
import type { PresetName } from '../checkpoint/type-preset.ts';
import type { Exported } from '../eval/predictions/export.ts';
import type { mergePredictions } from '../eval/predictions/file.ts';
import type { Compared } from '../eval/report/measured.ts';
import type { ReportOptions } from '../eval/report/report.ts';
import type { Answerer, QueueOfWorkers } from '../eval/run/answerers.ts';
import type { Endpoint, EndpointOptions } from '../eval/run/endpoint.ts';
import type { evaluate } from '../eval/run/evaluate.ts';
import type { ImageLimits } from '../eval/run/request-image.ts';
import type { runEvalScore } from '../eval/score/score-file.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { DiskImageCache } from '../generate/disk-image-cache.ts';
import type { Evidence } from '../generate/evidence.ts';
import type { LoadOptions } from '../generate/load-options.ts';
import type { GenerateOptions } from '../generate/types.ts';
import type { listDevices } from '../ggml/devices.ts';
import type { libraryInfo } from '../ggml/library.ts';
import type { packedTypes } from '../ggml/packing.ts';
import type { Pulled, PullOptions } from '../hub/pull.ts';
import type { drawBoxes } from '../image/draw.ts';
import type { ImageFile } from '../image/source.ts';
import type { kernelsInfo } from '../kernels/library.ts';
import type { MemoryPlan } from '../model/memory-plan.ts';
import type { PlanOptions } from '../model/plan-model.ts';
import type { traceCheckpoint } from '../model/trace.ts';
import type { Page } from '../pdf/pdf.ts';
import type { QueueAddress } from '../queue/address.ts';
import type { QueueClient } from '../queue/client.ts';
import type { Job } from '../queue/job.ts';
import type { RunningServer, ServeOptions } from '../server/serve.ts';
import type { kindOf } from '../video/video.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { imageLabel } from './format.ts';
import type { InputStream, Terminal } from './terminal.ts';

export type FoundModel = Awaited<ReturnType<typeof listModels>>[number];
export type Device = ReturnType<typeof listDevices>[number];
export type LibraryInfo = ReturnType<typeof libraryInfo>;
type ModelBatchOptions = Omit<BatchOptions, 'backend' | 'wantsBytes'>;
export type KernelsInfo = ReturnType<typeof kernelsInfo>;
interface QueueBatchOptions extends ModelBatchOptions {
  answer: Job['options'];
  /** Identifies the run, so that a resumed run finds its jobs. */
  run: string;
  /** Whether paths of images are sent instead of the images. */
  byPath: boolean;
}
type TraceOptions = Parameters<typeof traceCheckpoint>[0];

interface ModelPlan extends MemoryPlan {
  /** False for a published model that is not on this machine: the plan is from its published layout. */
  isDownloaded: boolean;
}

export interface Library {
  load(options: LoadOptions): Promise<CogVLM2>;
  findModel(nameOrPath: string): Promise<{ name: string; path: string }>;
  listModels(): Promise<FoundModel[]>;
  listDevices(): Promise<Device[]>;
  libraryInfo(): Promise<LibraryInfo>;
  /** The image cache on disk; where there can be none, the sentence why. */
  openImageCache(env: Terminal['env']): Promise<DiskImageCache | string>;
  /** Which CPU kernels are used. */
  kernelsInfo(): Promise<KernelsInfo>;
  /** The types of weights that the CPU has a faster layout for. */
  packedTypes(): Promise<ReturnType<typeof packedTypes>>;
  trace(options: TraceOptions): ReturnType<typeof traceCheckpoint>;
  /** The checkpoint at `path`, with adapters merged, into one GGUF file. */
  convert(
    path: string,
    outPath: string,
    options: ConvertOptions & { adapter: readonly AdapterSource[] },
  ): ReturnType<typeof convertToGguf>;
  /** Times each stage of the checkpoint at `path`. */
  bench(path: string, options: BenchOptions): ReturnType<typeof runBench>;
  /** What a model needs of the memory of this machine; the demonstration model when none is named. */
  plan(
    nameOrPath: string | undefined,
    options: Omit<PlanOptions, 'adapters'> & { type?: PresetName; adapter: readonly AdapterSource[] },
  ): Promise<ModelPlan>;
  /** Fetches a published checkpoint into the cache of its source. */
  pull(name: string, options: PullOptions): Promise<Pulled>;
  /** What a batch is about. */
  findSources(
    inputs: readonly string[],
    questions: readonly string[],
    takesVideo: boolean,
  ): Promise<FoundSources>;
  /** Whether it is a video model; false where nothing is known about it. */
  takesVideo(nameOrPath: string | undefined): Promise<boolean>;
  /** Asks about all of it, with a model that is loaded. */
  batch(model: CogVLM2, answer: GenerateOptions, options: ModelBatchOptions): Promise<BatchCounts>;
  /** A queue, whose workers have that model. */
  queue(address: QueueAddress, model: string): Promise<QueueClient>;
  /** Has workers answer a batch. */
  batchOnQueue(client: QueueClient, options: QueueBatchOptions): Promise<BatchCounts>;
  /** Who answers: the workers behind a queue. */
  queueAnswerer(queue: QueueOfWorkers): Promise<Answerer>;
  /** Answers what comes through a queue, until it is stopped. */
  work(model: CogVLM2, options: WorkOptions): Promise<void>;
  /** Asks the questions of a benchmark, and keeps the answers in a file. */
  evalRun(options: Parameters<typeof evaluate>[0]): ReturnType<typeof evaluate>;
  /** Who answers: a loaded model. */
  modelAnswerer(model: CogVLM2, compute: 'auto' | 'f32'): Promise<Answerer>;
  /** Who answers: an OpenAI-compatible server. */
  endpoint(
    options: EndpointOptions,
    limits?: ImageLimits,
  ): Promise<{ endpoint: Endpoint; answerer: Answerer }>;
  /** One predictions file of the parts that several machines made. */
  evalMerge(files: readonly string[], output: string): ReturnType<typeof mergePredictions>;
  /** Results beside each other. */
  evalCompare(files: readonly string[]): Promise<Compared>;
  /** Writes answers as a benchmark's server takes them. */
  evalExport(benchmark: string, file: string, output: string): Promise<Exported>;
  /** Scores a file of predictions. */
  evalScore(options: Parameters<typeof runEvalScore>[0]): ReturnType<typeof runEvalScore>;
  /** Serves a model over HTTP; resolves when it can answer. */
  serve(options: ServeOptions, signal: AbortSignal): Promise<RunningServer>;
  /** Writes the report of some results files. */
  report(options: ReportOptions): Promise<void>;
  /** Whether a path leads to a video or a folder. */
  videoKind: typeof kindOf;
  hasFfmpeg(): Promise<boolean>;
  /** The image as an encoded file with boxes on it. */
  drawBoxes: typeof drawBoxes;
  /** The encoded bytes of a file or data URL, checked to be an image that can be read. */
  readNamedImage(source: string, signal: AbortSignal): Promise<ImageFile>;
  /** The same of a file, a data URL or a stream, any of which may be a PDF; `page` is from 1. */
  readPage(source: string | InputStream, page: number | undefined, signal: AbortSignal): Promise<Page>;
  /** A PNG of the image on which the evidence of each answer has a colour. */
  markEvidence(image: ImageFile, evidence: readonly Evidence[]): Promise<Uint8Array>;
}

/** The files of a model are mapped: one that becomes shorter meanwhile ends this process, with a sentence. */
async function nameBusErrors(): Promise<void> {
  const { exitOnBusError } = await import('../kernels/bus-error.ts');
  // A line of progress is not ended: it is cleared.
  const clear = process.stderr.isTTY ? '\r\u001B[K' : '';
  exitOnBusError(`${clear}cogvlm2: ${BUS_ERROR}\n`, EXIT_CODES.model);
}

const BUS_ERROR =
  'the model is damaged (invalid_checkpoint): a file of it became shorter, or could not be read, while it was in use. ' +
  'Restore the file, and start again. To replace a model, rename the new file over the old one.';

export const library: Library = {
  load: async (options) => {
    await nameBusErrors();
    return (await import('../generate/cogvlm2.ts')).CogVLM2.load(options);
  },
  findModel: async (nameOrPath) => (await import('../checkpoint/find.ts')).findModel(nameOrPath),
  listModels: async () => (await import('../checkpoint/find.ts')).listModels(),
  listDevices: async () => (await import('../ggml/devices.ts')).listDevices(),
  libraryInfo: async () => (await import('../ggml/library.ts')).libraryInfo(),
  openImageCache: async (env) => {
    const { DiskImageCache, diskCacheDirectory } = await import('../generate/disk-image-cache.ts');
    return DiskImageCache.open({ directory: diskCacheDirectory(env) });
  },
  kernelsInfo: async () => (await import('../kernels/library.ts')).kernelsInfo(),
  packedTypes: async () => (await import('../ggml/packing.ts')).packedTypes(),
  trace: async (options) => {
    await nameBusErrors();
    return (await import('../model/trace.ts')).traceCheckpoint(options);
  },
  convert: async (path, outPath, { adapter, ...options }) => {
    const { mergeAdapters } = await import('../checkpoint/peft/merge.ts');
    const { openAdapters } = await import('../checkpoint/peft/adapter.ts');
    const { openCheckpoint } = await import('../checkpoint/checkpoint.ts');
    const { convertToGguf } = await import('../checkpoint/convert.ts');
    const { checkModel } = await import('../generate/model-info.ts');
    const checkpoint = openCheckpoint(path);
    checkModel(checkpoint, { needsTokenizer: false });
    return convertToGguf(mergeAdapters(checkpoint, openAdapters(adapter)), outPath, options);
  },
  bench: async (path, options) => {
    await nameBusErrors();
    const { openCheckpoint } = await import('../checkpoint/checkpoint.ts');
    return (await import('../bench/bench.ts')).runBench(openCheckpoint(path), options);
  },
  plan: async (nameOrPath, { type, adapter, ...options }) => {
    const { openAdapters } = await import('../checkpoint/peft/adapter.ts');
    const { openCheckpoint } = await import('../checkpoint/checkpoint.ts');
    const { findModel } = await import('../checkpoint/find.ts');
    const { publishedCheckpoint, withTypes } = await import('../checkpoint/published-layout.ts');
    const { planModel } = await import('../model/plan-model.ts');
    const { checkModel } = await import('../generate/model-info.ts');
    const found = await findModel(nameOrPath).catch((error: unknown) => {
      const published = nameOrPath === undefined ? undefined : publishedCheckpoint(nameOrPath);
      if (published === undefined) throw error;
      return published;
    });
    const isDownloaded = !('tensors' in found);
    const checkpoint = isDownloaded ? openCheckpoint(found.path) : found;
    if (isDownloaded) checkModel(checkpoint);
    const adapters = new Map([['', openAdapters(adapter)]]);
    const typed = type === undefined ? checkpoint : withTypes(checkpoint, type);
    const { plan } = planModel(typed, { ...options, adapters });
    return { ...plan, isDownloaded };
  },
  pull: async (name, options) => (await import('../hub/pull.ts')).pull(name, options),
  findSources: async (...args) => (await import('../batch/sources.ts')).findSources(...args),
  takesVideo: async (nameOrPath) => {
    const { openCheckpoint } = await import('../checkpoint/checkpoint.ts');
    const { findModel } = await import('../checkpoint/find.ts');
    const { publishedCheckpoint } = await import('../checkpoint/published-layout.ts');
    const { parseConfig } = await import('../model/config.ts');
    try {
      const published = nameOrPath === undefined ? undefined : publishedCheckpoint(nameOrPath);
      const { texts, path, tensors } = published ?? openCheckpoint((await findModel(nameOrPath)).path);
      return parseConfig(texts['config.json'], path, tensors).family === 'CogVLM2-Video';
    } catch {
      return false; // Loading it says what is wrong.
    }
  },
  batch: async (model, answer, options) => {
    const { batch } = await import('../batch/batch.ts');
    const { ModelBackend } = await import('../batch/backend.ts');
    return batch({ ...options, backend: new ModelBackend(model, answer), wantsBytes: true });
  },
  queue: async (address, model) => (await import('../queue/client.ts')).QueueClient.open(address, model),
  batchOnQueue: async (client, { answer, run, byPath, ...options }) => {
    const { batch } = await import('../batch/batch.ts');
    const { QueueBackend } = await import('../batch/queue-backend.ts');
    return batch({ ...options, backend: new QueueBackend(client, answer, run), wantsBytes: !byPath });
  },
  queueAnswerer: async (queue) => (await import('../eval/run/answerers.ts')).queueAnswerer(queue),
  work: async (model, options) => (await import('../batch/queue-backend.ts')).work(model, options),
  evalRun: async (options) => (await import('../eval/run/evaluate.ts')).evaluate(options),
  modelAnswerer: async (model, compute) =>
    (await import('../eval/run/answerers.ts')).modelAnswerer(model, compute),
  endpoint: async (options, limits) => {
    const { Endpoint } = await import('../eval/run/endpoint.ts');
    const { endpointAnswerer } = await import('../eval/run/answerers.ts');
    const endpoint = new Endpoint(options);
    return { endpoint, answerer: endpointAnswerer(endpoint, limits) };
  },
  evalMerge: async (files, output) =>
    (await import('../eval/predictions/file.ts')).mergePredictions(files, output),
  evalCompare: async (files) => (await import('../eval/report/measured.ts')).compareResults(files),
  evalExport: async (...args) => (await import('../eval/predictions/export.ts')).exportAnswers(...args),
  evalScore: async (options) => (await import('../eval/score/score-file.ts')).runEvalScore(options),
  serve: async (options, signal) => (await import('../server/serve.ts')).serve(options, signal),
  report: async (options) => (await import('../eval/report/report.ts')).writeReport(options),
  hasFfmpeg: async () => (await import('../video/program.ts')).hasFfmpeg(),
  videoKind: async (source) => (await import('../video/video.ts')).kindOf(source),
  drawBoxes: async (...args) => (await import('../image/draw.ts')).drawBoxes(...args),
  readNamedImage: async (source, signal) => {
    const { readImage } = await import('../image/source.ts');
    return readImage(source, { signal }, JSON.stringify(imageLabel(source)));
  },
  readPage: async (source, page, signal) => {
    const { readPage } = await import('../pdf/pdf.ts');
    const { startImageThread } = await import('../image/preprocess.ts');
    startImageThread(); // while the model is loaded
    const name = typeof source === 'string' ? JSON.stringify(imageLabel(source)) : 'Standard input';
    return readPage(source, name, page, signal);
  },
  markEvidence: async (image, evidence) => {
    const { markedImage } = await import('../image/draw.ts');
    return markedImage(
      image.bytes,
      evidence.map(({ cells }) => cells),
    );
  },
};
