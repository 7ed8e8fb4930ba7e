import { generate, type RunningSequence } from '../../src/generate/generate.ts';
import { type CachedRows, commonPrefix, rowsOf } from '../../src/generate/kv-pool.ts';
import { PromptBuilder } from '../../src/generate/prepare-request.ts';
import type { AnswerEvent, GenerateOptions } from '../../src/generate/types.ts';
import { GrammarMasks } from '../../src/grammar/masks.ts';
import type { Prompt } from '../../src/text/prompt.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { configOf, tinyConfig } from '../model/tiny-checkpoint.ts';

/** The generator without an engine: the logits of the model follow a script, and the tokenizer uses bytes. */

export const endOfText = 2;
const vocabSize = 256;

/** One token per byte. 0 to 2 are pad, bos and the end of the text. */
export const byteTokenizer = {
  vocabSize,
  cleansSpaces: false,
  encode: (text: string) => [...Buffer.from(text)],
  bytesOf: (id: number) => Uint8Array.of(id),
  isSpecial: (id: number) => id <= endOfText,
} as unknown as Tokenizer;

const masks = new GrammarMasks(byteTokenizer, vocabSize, [endOfText]);

export interface ScriptedCalls {
  prefills: { start: number; rows: number }[];
  steps: { id: number; position: number }[];
}

/** A model that answers `answer`, then the end of the text. `logits` replace the script. */
export function scriptedModel(answer: string, logits?: (at: number) => Float32Array) {
  const config = configOf({ ...tinyConfig, vocab_size: vocabSize });
  const calls: ScriptedCalls = { prefills: [], steps: [] };
  const script = [...Buffer.from(answer), endOfText];
  let at = 0;
  const next = () => {
    const row = new Float32Array(vocabSize);
    row[script[at] ?? endOfText] = 9;
    return logits?.(at) ?? row;
  };
  const model = {
    config,
    async prefill({ ids }: Prompt, start: number, signal: AbortSignal) {
      signal.throwIfAborted();
      calls.prefills.push({ start, rows: ids.length });
      at = 0;
      return next();
    },
    async step(id: number, position: number) {
      await new Promise(setImmediate);
      calls.steps.push({ id, position });
      at++;
      return next();
    },
  };
  return { model, calls };
}

export type ScriptedModel = ReturnType<typeof scriptedModel>['model'];

/** A sequence whose cache has rows of earlier runs. */
export interface ScriptedCache {
  rows: CachedRows;
}

export const newCache = (): ScriptedCache => ({ rows: { ids: [], imageKey: null, adapter: '' } });

export interface RunOptions extends GenerateOptions {
  question?: string;
  /** Key of the image; null: no image. */
  imageKey?: string | null;
  cache?: ScriptedCache;
  capacity?: number;
  onEvent?: (event: AnswerEvent) => void;
}

export async function run(model: ScriptedModel, options: RunOptions = {}) {
  const { question = 'How many?', imageKey = null, cache = newCache(), capacity = 1000, onEvent } = options;
  const prompts = new PromptBuilder(model.config, byteTokenizer, capacity);
  const request = prompts.prepare(imageKey !== null, question, options);
  const { prompt, grammar, answerStart } = request;
  const events: AnswerEvent[] = [];
  const emit = (event: AnswerEvent) => {
    events.push(event);
    onEvent?.(event);
  };
  const signal = options.signal ?? new AbortController().signal;
  const asked = { prompt, imageKey, adapter: '' };
  const start = commonPrefix(cache.rows, asked);
  const sequence: RunningSequence = {
    request: { prompt, signal },
    cachedTokens: start,
    queueMs: 0,
    async prefill({ onTokens }) {
      cache.rows = rowsOf(asked, start);
      const logits = await model.prefill(prompt, start, signal);
      cache.rows = rowsOf(asked, prompt.ids.length);
      onTokens(prompt.ids.length, prompt.ids.length);
      return logits;
    },
    async step(id, position) {
      const logits = await model.step(id, position);
      cache.rows.ids.push(id);
      return logits;
    },
    readKeys: async () => new Float32Array(0),
  };
  const mask = grammar && (await masks.start(grammar, answerStart));
  const answer = await generate(sequence, {
    request,
    mask,
    image: null,
    tokenizer: byteTokenizer,
    eosIds: [endOfText],
    emit,
    startedAt: performance.now(),
  });
  const shown = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
  return { answer, events, shown, prompt };
}
