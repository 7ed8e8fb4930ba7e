/**
 * The interface of the commands to other folders. Modules are imported when a command calls them, so
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
import type { mergePredictions } from '../eval/predictions/merge.ts';
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
import type { Pulled, PullOptions } from '../hub/pull-options.ts';
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
  /** Whether to send paths of images instead of the images. */
  byPath: boolean;
}
type TraceOptions = Parameters<typeof traceCheckpoint>[0];

interface ModelPlan extends MemoryPlan {
  /** False if a published model is not on this machine and the plan is made from its published layout. */
  isDownloaded: boolean;
}

export interface Library {
  load(options: LoadOptions): Promise<CogVLM2>;
  findModel(nameOrPath: string): Promise<{ name: string; path: string }>;
  listModels(): Promise<FoundModel[]>;
  listDevices(): Promise<Device[]>;
  libraryInfo(): Promise<LibraryInfo>;
  /** The image cache on disk, or a sentence with the reason why there is none. */
  openImageCache(env: Terminal['env']): Promise<DiskImageCache | string>;
  /** The CPU kernels in use. */
  kernelsInfo(): Promise<KernelsInfo>;
  /** The weight types for which the CPU has a faster layout. */
  packedTypes(): Promise<ReturnType<typeof packedTypes>>;
  trace(options: TraceOptions): ReturnType<typeof traceCheckpoint>;
  /** Converts the checkpoint at `path` to one GGUF file, with adapters merged. */
  convert(
    path: string,
    outPath: string,
    options: ConvertOptions & { adapter: readonly AdapterSource[] },
  ): ReturnType<typeof convertToGguf>;
  /** Measures each stage of the checkpoint at `path`. */
  bench(path: string, options: BenchOptions): ReturnType<typeof runBench>;
  /** The memory that a model needs on this machine. Default: the demonstration model. */
  plan(
    nameOrPath: string | undefined,
    options: Omit<PlanOptions, 'adapters'> & { type?: PresetName; adapter: readonly AdapterSource[] },
  ): Promise<ModelPlan>;
  /** Downloads a published checkpoint into the cache of its source. */
  pull(name: string, options: PullOptions): Promise<Pulled>;
  /** Reads the sources of a batch. */
  findSources(
    inputs: readonly string[],
    questions: readonly string[],
    takesVideo: boolean,
  ): Promise<FoundSources>;
  /** Whether it is a video model; false if unknown. */
  takesVideo(nameOrPath: string | undefined): Promise<boolean>;
  /** Runs a batch with a loaded model. */
  batch(model: CogVLM2, answer: GenerateOptions, options: ModelBatchOptions): Promise<BatchCounts>;
  /** Opens a queue whose workers have that model. */
  queue(address: QueueAddress, model: string): Promise<QueueClient>;
  /** Runs a batch with the workers of a queue. */
  batchOnQueue(client: QueueClient, options: QueueBatchOptions): Promise<BatchCounts>;
  /** Answerer: the workers of a queue. */
  queueAnswerer(queue: QueueOfWorkers): Promise<Answerer>;
  /** Answers the jobs of a queue until it is stopped. */
  work(model: CogVLM2, options: WorkOptions): Promise<void>;
  /** Runs a benchmark and writes the answers to a file. */
  evalRun(options: Parameters<typeof evaluate>[0]): ReturnType<typeof evaluate>;
  /** Answerer: a loaded model. */
  modelAnswerer(model: CogVLM2, compute: 'auto' | 'f32'): Promise<Answerer>;
  /** Answerer: an OpenAI-compatible server. */
  endpoint(
    options: EndpointOptions,
    limits?: ImageLimits,
  ): Promise<{ endpoint: Endpoint; answerer: Answerer }>;
  /** Merges the parts of predictions from several machines into one file. */
  evalMerge(files: readonly string[], output: string): ReturnType<typeof mergePredictions>;
  /** Compares results. */
  evalCompare(files: readonly string[]): Promise<Compared>;
  /** Writes answers in the format of a benchmark's server. */
  evalExport(benchmark: string, file: string, output: string): Promise<Exported>;
  /** Scores a predictions file. */
  evalScore(options: Parameters<typeof runEvalScore>[0]): ReturnType<typeof runEvalScore>;
  /** Starts the server; resolves when it accepts requests. */
  serve(options: ServeOptions, signal: AbortSignal): Promise<RunningServer>;
  /** Writes the report of results files. */
  report(options: ReportOptions): Promise<void>;
  /** Whether a path is a video or a folder. */
  videoKind: typeof kindOf;
  hasFfmpeg(): Promise<boolean>;
  /** Draws boxes on an image. Returns an encoded file. */
  drawBoxes: typeof drawBoxes;
  /** Reads a file or data URL and checks that it is a supported image. */
  readNamedImage(source: string, signal: AbortSignal): Promise<ImageFile>;
  /** Reads a file, a data URL or a stream, each of which may be a PDF; `page` is from 1. */
  readPage(source: string | InputStream, page: number | undefined, signal: AbortSignal): Promise<Page>;
  /** A PNG of the image with the evidence of each answer in a color. */
  markEvidence(image: ImageFile, evidence: readonly Evidence[]): Promise<Uint8Array>;
}

/** The files of a model are mapped. If one is truncated meanwhile, this process ends with a message. */
async function nameBusErrors(): Promise<void> {
  const { exitOnBusError } = await import('../kernels/bus-error.ts');
  // The line of progress has no line feed, so it is erased first.
  const clear = process.stderr.isTTY ? '\r\u001B[K' : '';
  exitOnBusError(`${clear}cogvlm2: ${BUS_ERROR}\n`, EXIT_CODES.model);
}

const BUS_ERROR =
  'the model is damaged (invalid_checkpoint): one of its files was truncated, or could not be read, while it was in use. ' +
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
    const { takesVideo } = await import('../checkpoint/types.ts');
    const { parseConfig } = await import('../model/config.ts');
    try {
      const published = nameOrPath === undefined ? undefined : publishedCheckpoint(nameOrPath);
      const { texts, path, tensors } = published ?? openCheckpoint((await findModel(nameOrPath)).path);
      return takesVideo(parseConfig(texts['config.json'], path, tensors));
    } catch {
      return false; // Loading it reports the error.
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
    (await import('../eval/predictions/merge.ts')).mergePredictions(files, output),
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
