/** A model for the tests of the server. It emits `word ` in each step, and counts its steps. */
import { AnswerStream } from '../../src/generate/answer-stream.ts';
import type { Answer, GenerateOptions, Turn } from '../../src/index.ts';
import type { HostedModel } from '../../src/server/engine/protocol.ts';

export interface ScriptedHost {
  load: () => Promise<HostedModel>;
  /** Number of begun steps of all answers. */
  steps: number;
  /** Maximum number of answers that ran at the same time. */
  mostAtOnce: number;
  questions: string[];
  histories: (readonly Turn[])[];
  formats: GenerateOptions['format'][];
  seeds: GenerateOptions['seed'][];
  adapters: GenerateOptions['adapter'][];
  /** Steps wait for this promise if it is set. */
  gate: Promise<void> | null;
}

export function scriptedHost(): ScriptedHost {
  const host: ScriptedHost = {
    steps: 0,
    mostAtOnce: 0,
    questions: [],
    histories: [],
    formats: [],
    seeds: [],
    adapters: [],
    gate: null,
    load: async () => model as unknown as HostedModel,
  };
  let atOnce = 0;
  const ask = (
    _image: unknown,
    question: string,
    { maxTokens = 100, signal, format, seed, adapter, history = [], onState }: GenerateOptions,
  ) =>
    new AnswerStream(async (emit, left) => {
      const stop = signal ? AbortSignal.any([signal, left]) : left;
      host.mostAtOnce = Math.max(host.mostAtOnce, ++atOnce);
      host.questions.push(question);
      host.histories.push(history);
      onState?.('decoding');
      host.formats.push(format);
      host.seeds.push(seed);
      host.adapters.push(adapter);
      let made = 0;
      while (made < maxTokens && !stop.aborted) {
        host.steps++;
        await (host.gate ?? new Promise(setImmediate));
        made++;
        emit({ type: 'text', text: 'word ' });
      }
      onState?.('finished');
      atOnce--;
      return answerOf(made, stop.aborted ? 'aborted' : 'length');
    });
  const model = {
    info: {
      name: 'scripted',
      path: '/nowhere',
      contextSize: 4096,
      types: { f32: 1 },
      device: 'CPU',
      imageSize: 8,
      imageTokens: 6,
      adapters: [
        { name: 'receipts', path: '/secret/receipts', scale: 0.5, sizeBytes: 1000, fingerprint: 'abc' },
      ],
    },
    ask,
    checkInBackground: async (hasImage: boolean, question: string, { maxTokens = 100 }: GenerateOptions) => ({
      promptTokens: question.length + (hasImage ? 6 : 0),
      imageTokens: hasImage ? 6 : 0,
      ignored: [],
      maxTokens,
    }),
    stats: () => ({ running: atOnce, tokensGenerated: host.steps }),
    tokenizeInBackground: async (text: string) => [...text].map((char) => char.codePointAt(0)),
    detokenize: (ids: number[]) => String.fromCodePoint(...ids),
  };
  return host;
}

function answerOf(completionTokens: number, finishReason: Answer['finishReason']): Answer {
  return {
    text: 'word '.repeat(completionTokens),
    tokenIds: [],
    finishReason,
    stopString: null,
    imageOrigin: null,
    seed: 7,
    usage: { promptTokens: 4, imageTokens: 0, cachedTokens: 1, completionTokens },
    warnings: [],
    timings: {
      queueMs: 0,
      imageMs: 0,
      visionMs: 0,
      prefillMs: 3,
      firstTokenMs: 4,
      decodeMs: 5,
      perTokenMs: [1],
      totalMs: 8,
    },
  };
}
