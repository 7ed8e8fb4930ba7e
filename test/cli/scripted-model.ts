/** A CogVLM2 for the tests of commands. It answers from a script, without an engine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Library, library as realLibrary } from '../../src/cli/library-calls.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import { exportAnswers } from '../../src/eval/predictions/export.ts';
import { mergePredictions } from '../../src/eval/predictions/merge.ts';
import { compareResults } from '../../src/eval/report/measured.ts';
import { endpointAnswerer, modelAnswerer } from '../../src/eval/run/answerers.ts';
import { Endpoint } from '../../src/eval/run/endpoint.ts';
import { evaluate } from '../../src/eval/run/evaluate.ts';
import { runEvalScore } from '../../src/eval/score/score-file.ts';
import type { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import type { LoadOptions } from '../../src/generate/load-options.ts';
import type { Answer, AnswerEvent, GenerateOptions, Progress, Turn } from '../../src/generate/types.ts';
import { drawBoxes } from '../../src/image/draw.ts';
import { ImageFile } from '../../src/image/source.ts';
import type { ServeOptions } from '../../src/server/serve.ts';

export interface Script {
  /** The pieces of the answer to a question. */
  pieces?: (question: string) => readonly string[];
  /** Thrown for a question. */
  fails?: (question: string) => Error | undefined;
  /** Pause before each piece, so that a test can interrupt the answer. */
  pauseMs?: number;
  isDemo?: boolean;
  takesVideo?: boolean;
}

/** The calls of the commands to the library. */
export interface Calls {
  loads: LoadOptions[];
  encoded: string[];
  asked: { question: string; options: GenerateOptions; image: unknown }[];
  chats: { image: unknown; history: readonly Turn[] }[];
  served: ServeOptions[];
  disposedImages: number;
  disposedModels: number;
}

export function scriptedLibrary(script: Script = {}): { library: Library; calls: Calls } {
  const calls: Calls = {
    loads: [],
    encoded: [],
    asked: [],
    chats: [],
    served: [],
    disposedImages: 0,
    disposedModels: 0,
  };
  const library: Library = {
    async load(options) {
      if (options.model !== undefined) await library.findModel(options.model);
      calls.loads.push(options);
      return scriptedModel(script, calls);
    },
    async findModel(name) {
      if (name === 'broken') throw new CogVLM2Error('invalid_checkpoint', 'model.safetensors is cut short.');
      if (name !== 'demo') {
        throw new CogVLM2Error('model_not_found', `There is no model ${name}; the nearest name is demo.`);
      }
      return { name, path: '/models/demo' };
    },
    listModels: async () => [
      { name: 'demo', path: '/models/demo', format: 'safetensors', sizeBytes: 23_400_000, types: 'bf16' },
    ],
    listDevices: async () => [
      { name: 'CPU', description: 'A processor', kind: 'cpu', memoryTotalBytes: 8e9, memoryFreeBytes: 4e9 },
    ],
    openImageCache: realLibrary.openImageCache,
    kernelsInfo: async () => ({ variant: 'avx512', supported: ['avx2', 'avx512'], reason: null }),
    packedTypes: async () => ['q4_0', 'q4_k'],
    libraryInfo: async () => ({
      directory: '/libraries',
      version: '1.2.3',
      commit: 'abc123',
      extras: ['a-gpu@1'],
    }),
    plan: realLibrary.plan,
    trace: async () => ({ tensors: 42, outputBytes: 1_000_000 }),
    convert: async () => ({
      tensors: 91,
      sizeBytes: 5_217_152,
      types: { bf16: 5_200_000 },
      misfits: [],
      unpacked: { tensors: 0, changed: 0 },
      adapted: 0,
      hasTokenizer: true,
    }),
    async pull(name, { onProgress, onFile }) {
      const file = { name: 'config.json', done: 5, total: 10 };
      onProgress({ stage: 'download', done: 5, total: 10, file });
      onFile('config.json', 10);
      return {
        title: `THUDM/${name} at Hugging Face`,
        modelPath: '/cache/snapshot',
        files: 1,
        sizeBytes: 10,
      };
    },
    evalRun: evaluate,
    modelAnswerer: async (model) => ({
      ...(await modelAnswerer(model, 'auto')),
      model: {
        kind: 'checkpoint',
        name: 'demo',
        types: { bf16: 1 },
        sizeBytes: 1,
        fingerprint: 'f',
        compute: 'auto',
      },
    }),
    async endpoint(options, limits) {
      const endpoint = new Endpoint(options);
      return { endpoint, answerer: endpointAnswerer(endpoint, limits) };
    },
    evalMerge: mergePredictions,
    evalCompare: compareResults,
    evalExport: exportAnswers,
    evalScore: runEvalScore,
    async bench() {
      throw new CogVLM2Error('engine_bug', 'The scripted model is not measured.');
    },
    async serve(options, signal) {
      calls.served.push(options);
      signal.throwIfAborted();
      const { info } = scriptedModel(script, calls);
      return { url: `http://${options.host}:${options.port}`, model: info, close: async () => {} };
    },
    findSources: realLibrary.findSources,
    takesVideo: async () => script.takesVideo ?? false,
    batch: realLibrary.batch,
    queue: realLibrary.queue,
    batchOnQueue: realLibrary.batchOnQueue,
    queueAnswerer: realLibrary.queueAnswerer,
    work: realLibrary.work,
    report: realLibrary.report,
    markEvidence: realLibrary.markEvidence,
    async readNamedImage(source) {
      if (source.includes('missing'))
        throw new CogVLM2Error('file_not_found', `There is no file "${source}".`);
      if (source.endsWith('.txt'))
        throw new CogVLM2Error('invalid_image', `"${source}" is text, not an image.`);
      return new ImageFile(new TextEncoder().encode(source), 'png');
    },
    drawBoxes,
    videoKind: async () => undefined,
    hasFfmpeg: async () => false,
    async readPage(source, page, signal) {
      if (typeof source === 'string') {
        const isPdf = source.endsWith('.pdf');
        const image = await library.readNamedImage(source, signal);
        return { image, page: isPdf ? (page ?? 1) : null, pageCount: isPdf ? 3 : null };
      }
      const chunks: Buffer[] = [];
      for await (const chunk of source) chunks.push(Buffer.from(chunk));
      return { image: new ImageFile(Buffer.concat(chunks), 'png'), page: null, pageCount: null };
    },
  };
  return { library, calls };
}

function scriptedModel(script: Script, calls: Calls): CogVLM2 {
  const ask = (
    image: unknown,
    question: string,
    options: GenerateOptions = {},
    remember?: (answer: string) => void,
  ) => {
    calls.asked.push({ question, options, image });
    return answerStream(script, question, options, image instanceof ImageFile, remember);
  };
  const model = {
    info: {
      name: 'demo',
      types: { bf16: 1 },
      sizeBytes: 2,
      contextSize: 512,
      isDemo: script.isDemo ?? false,
      adapters: [],
    },
    async encodeImage(file: ImageFile, { onProgress }: { onProgress?: (progress: Progress) => void } = {}) {
      const source = new TextDecoder().decode(file.bytes);
      for (let done = 0; done <= 4; done++) onProgress?.({ stage: 'vision', done, total: 4 });
      if (source.includes('damaged')) throw new CogVLM2Error('invalid_image', 'The PNG is cut short.');
      calls.encoded.push(source);
      return {
        imageMs: 1,
        visionMs: 2,
        width: 8,
        height: 6,
        imageTokens: 4,
        dispose: () => calls.disposedImages++,
      };
    },
    ask,
    chat(image: unknown = null, history: readonly Turn[] = []) {
      calls.chats.push({ image, history });
      const turns = [...history];
      return {
        image,
        get history() {
          return turns;
        },
        clear: () => turns.splice(0),
        ask(question: string, options: GenerateOptions) {
          return ask(image, question, options, (answer: string) => turns.push({ question, answer }));
        },
      };
    },
    dispose: () => calls.disposedModels++,
    [Symbol.dispose]: () => calls.disposedModels++,
  };
  return model as unknown as CogVLM2;
}

function answerStream(
  { pieces = (q) => [`You asked: `, q], fails, pauseMs = 0 }: Script,
  question: string,
  options: GenerateOptions,
  encodes: boolean,
  remember?: (answer: string) => void,
) {
  return {
    async result(): Promise<Answer> {
      for await (const event of this) if (event.type === 'done') return event.answer;
      throw new Error('The script has no end.');
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<AnswerEvent> {
      const failure = fails?.(question);
      if (failure !== undefined) throw failure;
      if (encodes) {
        for (let done = 0; done <= 4; done++)
          yield { type: 'progress', progress: { stage: 'vision', done, total: 4 } };
      }
      for (let done = 0; done <= 9; done++)
        yield { type: 'progress', progress: { stage: 'prefill', done, total: 9 } };
      let text = '';
      for (const piece of pieces(question)) {
        if (pauseMs > 0) await sleep(pauseMs);
        if (options.signal?.aborted) break;
        text += piece;
        yield { type: 'text', text: piece };
      }
      remember?.(text);
      yield { type: 'done', answer: answerOf(text, options) };
    },
  };
}

function answerOf(text: string, { seed = 7, signal, maxTokens }: GenerateOptions): Answer {
  return {
    text,
    tokenIds: [],
    finishReason: signal?.aborted ? 'aborted' : maxTokens === 1 ? 'length' : 'stop',
    stopString: null,
    imageOrigin: null,
    seed: Number(seed),
    usage: { promptTokens: 9, imageTokens: 4, cachedTokens: 0, completionTokens: 3 },
    warnings: [],
    timings: {
      queueMs: 0,
      imageMs: 1,
      visionMs: 2,
      prefillMs: 3,
      firstTokenMs: 6,
      decodeMs: 4,
      perTokenMs: [2, 2],
      totalMs: 10,
    },
  };
}
