import { CogVLM2Error } from '../errors.ts';
import { answerGrammar } from '../grammar/answer-grammar.ts';
import type { TokenMask } from '../grammar/token-mask.ts';
import type { ModelConfig } from '../model/config.ts';
import type { State } from '../model/state.ts';
import { Detokenizer } from '../text/detokenizer.ts';
import { visionExpertRows } from '../text/positions.ts';
import { buildPrompt, type Prompt } from '../text/prompt.ts';
import { StopStrings } from '../text/stop-strings.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Emit } from './answer-stream.ts';
import type { Batch } from './batch.ts';
import { checkLogprobs, logprobsOf, type TokenLogprobs } from './logprobs.ts';
import { commonPrefix, rowsOf } from './prefix.ts';
import { checkSeed, freshSeed, randomFrom } from './random.ts';
import { checkSampling, sample, TokenCounts } from './sampler.ts';
import type { Slot } from './slots.ts';
import type { Answer, FinishReason, GenerateOptions, Timings, Turn } from './types.ts';

/** Who runs the model for an answer: `Batch`, which runs it for several. */
export type Runner = Pick<Batch, 'config' | 'prefill' | 'step'>;

/** The picture of a prompt; its rows only where they are not in the slot already. */
export interface PromptImage {
  contentKey: string;
  imageTokens: number;
  state: State<'imageTokens'> | null;
}

export interface Request {
  question: string;
  history: readonly Turn[];
  options: GenerateOptions;
}

const defaultMaxTokens = 2048;

/**
 * Everything that is checked before any work is done.
 * @throws CogVLM2Error `invalid_value`, `invalid_json_schema`, `context_length_exceeded`.
 */
export function prepare(
  config: ModelConfig,
  tokenizer: Tokenizer,
  capacity: number,
  hasImage: boolean,
  request: Request,
) {
  const { question, history, options } = request;
  if (question.trim() === '') throw new CogVLM2Error('invalid_value', 'The question is empty.');
  const sampling = checkSampling(options);
  checkLogprobs(options.logprobs);
  const stops = new StopStrings([options.stop ?? []].flat());
  const { answerStart = '' } = options;
  const seed = checkSeed(options.seed ?? freshSeed());
  const grammar = options.format ? answerGrammar(options.format) : null;
  const prompt = buildPrompt(tokenizer, {
    template: options.template ?? config.template,
    query: question,
    history,
    answerStart,
    imageTokenCount: hasImage ? config.vision.imageTokens : 0,
    bosId: config.bosId,
    padId: config.padId,
  });
  const room = capacity - prompt.ids.length;
  const maxTokens = options.maxTokens ?? Math.min(defaultMaxTokens, Math.max(1, room));
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    throw new CogVLM2Error('invalid_value', `maxTokens must be a whole number above 0; got ${maxTokens}.`);
  }
  if (maxTokens > room) {
    const image = hasImage ? ` (${config.vision.imageTokens} of them for the image)` : '';
    const remedy = room >= 1 ? `Lower maxTokens to ${room} or shorten the text.` : 'Shorten the text.';
    // Clients know the error by its words: litellm by "maximum context length", LangChain by "prompt is too long".
    throw new CogVLM2Error(
      'context_length_exceeded',
      `This model's maximum context length is ${capacity} tokens. However, the prompt is too long: it has ${prompt.ids.length} tokens${image} and the answer may have ${maxTokens}. ${remedy}`,
      { details: { promptTokens: prompt.ids.length, contextSize: capacity } },
    );
  }
  const { logprobs } = options;
  return { prompt, sampling, stops, grammar, answerStart, logprobs, maxTokens, seed };
}

export type Prepared = ReturnType<typeof prepare>;

/**
 * Prefill, then one token after the other until the model, a stop string, the limit or `signal` ends it. The
 * cache keeps what was run, for the next turn.
 */
export async function generate(
  model: Runner,
  tokenizer: Tokenizer,
  slot: Slot,
  image: PromptImage | null,
  prepared: Prepared,
  /** Holds the answer to `prepared.grammar`; it is prepared for the first token. */
  mask: TokenMask | null,
  emit: Emit,
  signal: AbortSignal,
  startedAt: number,
): Promise<Answer> {
  const { prompt, sampling, stops, answerStart, logprobs: alternatives, maxTokens, seed } = prepared;
  const imageKey = image?.contentKey ?? null;
  const cachedTokens = commonPrefix(slot.rows, prompt, imageKey);
  const timings: Timings = {
    imageMs: 0,
    visionMs: 0,
    prefillMs: 0,
    firstTokenMs: 0,
    decodeMs: 0,
    perTokenMs: [],
    totalMs: 0,
  };
  const tokenIds: number[] = [];
  const logprobs: TokenLogprobs[] = [];
  const isJoined = answerStart === '' || /\s$/.test(answerStart);
  const trimsStart = isJoined && !prepared.grammar?.keepsLeadingSpace;
  let toldLogprobs = 0;
  let text = '';
  const say = (piece: string) => {
    // The space that joins the answer to "Answer:" is part of the prompt's form, not of the answer.
    const shown = text === '' && trimsStart ? piece.trimStart() : piece;
    if (shown === '') return;
    text += shown;
    const untold = alternatives === undefined ? {} : { logprobs: logprobs.slice(toldLogprobs) };
    toldLogprobs = logprobs.length;
    emit({ type: 'text', text: shown, ...untold });
  };
  const finish = (finishReason: FinishReason): Answer => {
    timings.totalMs = performance.now() - startedAt;
    const usage = {
      promptTokens: prompt.ids.length,
      imageTokens: image?.imageTokens ?? 0,
      cachedTokens,
      completionTokens: tokenIds.length,
    };
    const asked = alternatives === undefined ? {} : { logprobs };
    return {
      text,
      tokenIds,
      finishReason,
      stopString: stops.found,
      ...asked,
      imageOrigin: null,
      seed,
      usage,
      timings,
      warnings: [],
    };
  };

  const prefillStart = performance.now();
  // Whatever ends the prefill early, it is known what the cache holds.
  slot.rows = rowsOf(prompt, cachedTokens, imageKey);
  let logits: Float32Array;
  try {
    logits = await model.prefill({ ...prompt, visionRows: visionExpertRows(prompt.tokenTypes) }, slot.cache, {
      image: image?.state ?? null,
      start: cachedTokens,
      signal,
      onTokens: (done, total) => {
        slot.rows = rowsOf(prompt, done, imageKey);
        emit({ type: 'progress', progress: { stage: 'prefill', done, total } });
      },
    });
  } catch (error) {
    if (signal.aborted) return finish('aborted');
    throw error;
  }
  timings.prefillMs = performance.now() - prefillStart;

  const random = randomFrom(seed);
  const counts = new TokenCounts(textIds(prompt));
  // The clean-up of spaces would change strings that the grammar has fixed.
  const detokenizer = new Detokenizer(tokenizer, mask ? { cleanSpaces: false } : {});
  const position = (prompt.positions.at(-1) ?? 0) + 1;
  const decodeStart = performance.now();
  let reason: FinishReason = 'length';
  while (tokenIds.length < maxTokens) {
    if (signal.aborted) {
      reason = 'aborted';
      break;
    }
    const modelLogits = logits;
    if (mask) {
      logits = logits.slice();
      mask.apply(logits);
    }
    const id = sample(logits, sampling, counts, random);
    if (!Number.isFinite(logits[id])) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        'The model computes values that are not finite; its weights are damaged.',
      );
    }
    if (tokenIds.length === 0) timings.firstTokenMs = performance.now() - startedAt;
    if (model.config.eosIds.includes(id)) {
      reason = 'stop';
      break;
    }
    tokenIds.push(id);
    counts.add(id);
    if (alternatives !== undefined) {
      logprobs.push(logprobsOf(modelLogits, id, alternatives, tokenizer));
    }
    const { text: piece, stopped } = stops.push(detokenizer.push(id));
    say(piece);
    mask?.accept(id);
    if (stopped || mask?.done) {
      reason = 'stop';
      break;
    }
    if (tokenIds.length === maxTokens) break;
    const stepStart = performance.now();
    // While the model computes. Of two failures the step's is told, and the step is always waited for.
    const masking = mask?.prepare(signal);
    masking?.catch(() => {});
    try {
      logits = await model.step(id, position + tokenIds.length - 1, slot.cache, signal);
      slot.rows.ids.push(id);
      await masking;
    } catch (error) {
      if (!signal.aborted) throw error;
      reason = 'aborted';
      break;
    }
    timings.perTokenMs.push(performance.now() - stepStart);
  }
  if (stops.found === null) {
    const { text: rest, stopped } = stops.push(detokenizer.flush());
    say(rest);
    if (stopped) reason = 'stop';
    say(stops.flush());
  }
  timings.decodeMs = performance.now() - decodeStart;
  return finish(reason);
}

function textIds({ ids, tokenTypes }: Prompt): number[] {
  return Array.from(ids).filter((_, i) => tokenTypes[i] === 0);
}
