import { generate, prepare } from '../../src/generate/generate.ts';
import type { Slot } from '../../src/generate/slots.ts';
import type { AnswerEvent, GenerateOptions, Turn } from '../../src/generate/types.ts';
import { GrammarMasks } from '../../src/grammar/masks.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import type { Model, PrefillOptions } from '../../src/model/cogvlm2.ts';
import { parseConfig } from '../../src/model/config.ts';
import type { EncodedImage } from '../../src/model/encoded-image.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { tinyConfig } from '../model/tiny-checkpoint.ts';

/** The generator without an engine: a model whose logits follow a script and a tokenizer of bytes. */

export const endOfText = 2;
const vocabSize = 256;

/** One token a byte; 0 to 2 are pad, bos and the end of the text. */
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

/** Says `answer`, then the end of the text. `logits`, if given, stand in for the script. */
export function scriptedModel(answer: string, logits?: (at: number) => Float32Array) {
  const config = parseConfig(JSON.stringify({ ...tinyConfig, vocab_size: vocabSize }), 'the script');
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
    async prefill(prompt: PromptRows, cache: KvCache, { start = 0, signal, onTokens }: PrefillOptions) {
      signal?.throwIfAborted();
      calls.prefills.push({ start, rows: prompt.ids.length });
      cache.length = prompt.ids.length;
      onTokens?.(cache.length, prompt.ids.length);
      at = 0;
      return next();
    },
    async step(id: number, position: number, cache: KvCache) {
      await new Promise(setImmediate);
      calls.steps.push({ id, position });
      cache.length++;
      at++;
      return next();
    },
  } as unknown as Model;
  return { model, calls };
}

export function newSlot(): Slot {
  return { cache: { length: 0 } as KvCache, rows: { ids: [], imageKey: null } };
}

/** A picture as far as the generator looks at it. */
export function picture(contentKey: string): EncodedImage {
  return { contentKey, imageTokens: 6, state: null } as unknown as EncodedImage;
}

export interface RunOptions extends GenerateOptions {
  question?: string;
  history?: readonly Turn[];
  image?: EncodedImage | null;
  slot?: Slot;
  capacity?: number;
  onEvent?: (event: AnswerEvent) => void;
}

export async function run(model: Model, options: RunOptions = {}) {
  const {
    question = 'How many?',
    history = [],
    image = null,
    slot = newSlot(),
    capacity = 1000,
    onEvent,
  } = options;
  const prepared = prepare(model.config, byteTokenizer, capacity, image !== null, {
    question,
    history,
    options,
  });
  const events: AnswerEvent[] = [];
  const emit = (event: AnswerEvent) => {
    events.push(event);
    onEvent?.(event);
  };
  const signal = options.signal ?? new AbortController().signal;
  const startedAt = performance.now();
  const mask = prepared.grammar === null ? null : await masks.start(prepared.grammar, prepared.answerStart);
  const answer = await generate(model, byteTokenizer, slot, image, prepared, mask, emit, signal, startedAt);
  const shown = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
  return { answer, events, shown, prompt: prepared.prompt };
}
