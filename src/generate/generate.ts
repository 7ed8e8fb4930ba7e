/** One answer: prefill, then token after token until the model, a stop string, the limit or the signal ends it. */
import { CogVLM2Error } from '../errors.ts';
import type { TensorSet } from '../ggml/engine.ts';
import type { TokenMask } from '../grammar/masks.ts';
import type { QueryTap } from '../model/taps.ts';
import { boxesIn } from '../text/boxes.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Emit } from './answer-stream.ts';
import type { EvidenceCollector } from './evidence.ts';
import { OutputFilter } from './output-filter.ts';
import type { PreparedRequest } from './prepare-request.ts';
import { randomFrom, sample, TokenCounts } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import type { Answer, FinishReason, Timings } from './types.ts';

/** The methods of a sequence that an answer calls. */
export type RunningSequence = Pick<Sequence, 'prefill' | 'step' | 'readKeys' | 'cachedTokens' | 'queueMs'> & {
  request: Pick<Sequence['request'], 'prompt' | 'signal'>;
};

export interface Generation {
  request: PreparedRequest;
  /** Holds the answer to `request.grammar`; prepared for the first token. */
  mask: TokenMask | null;
  /** The image's tokens, unless the sequence's cache holds the image already. */
  image: TensorSet<'imageTokens'> | null;
  tokenizer: Tokenizer;
  eosIds: readonly number[];
  emit: Emit;
  /** When the question was asked. */
  startedAt: number;
  /** Gathers where in the image the answer is read; undefined where nobody asked for it. */
  evidence?: EvidenceCollector | undefined;
}

/** @throws CogVLM2Error `invalid_checkpoint` for weights that give no finite logits, `out_of_memory`, `disposed`. */
export async function generate(sequence: RunningSequence, generation: Generation): Promise<Answer> {
  const { request, image, tokenizer, emit, startedAt } = generation;
  const { prompt, signal } = sequence.request;
  const { cachedTokens, queueMs } = sequence;
  const output = new OutputFilter(tokenizer, request, emit);
  const timings = { ...newTimings(), queueMs };
  let finishReason: FinishReason = 'aborted';
  const prefillStart = performance.now();
  const onTokens = (done: number, total: number) =>
    emit({ type: 'progress', progress: { stage: 'prefill', done, total } });
  const { evidence } = generation;
  const queryTap = evidence?.promptTap;
  const logits = await unlessAborted(signal, sequence.prefill({ image, onTokens, queryTap }));
  if (logits) {
    if (evidence && prompt.image) await evidence.begin(sequence, prompt.image);
    const decodeStart = performance.now();
    timings.prefillMs = decodeStart - prefillStart;
    finishReason = await decode(sequence, logits, generation, output, timings);
    if (output.end()) finishReason = 'stop';
    timings.decodeMs = performance.now() - decodeStart;
  }
  timings.totalMs = performance.now() - startedAt;
  const { text, tokenIds, logprobs } = output;
  const usage = {
    promptTokens: prompt.ids.length,
    imageTokens: prompt.imageTokens,
    cachedTokens,
    completionTokens: tokenIds.length,
  };
  const boxes = prompt.image === null ? [] : boxesIn(text);
  return {
    text,
    tokenIds,
    ...(boxes.length > 0 && { boxes }),
    finishReason,
    stopString: request.stops.found,
    ...(logprobs && { logprobs }),
    ...(evidence && { evidence: evidence.evidence(tokenizer, tokenIds, text) }),
    imageOrigin: null,
    seed: request.seed,
    usage,
    timings,
    warnings: [],
  };
}

/** Draws and runs one token after the other. @param first logits of the prompt's last row */
async function decode(
  sequence: RunningSequence,
  first: Float32Array,
  { request, mask, eosIds, startedAt, evidence }: Generation,
  output: OutputFilter,
  timings: Timings,
): Promise<FinishReason> {
  const { prompt, signal } = sequence.request;
  const random = randomFrom(request.seed);
  const counts = new TokenCounts(prompt.ids.filter((_, i) => prompt.tokenTypes[i] === 0));
  const position = (prompt.positions.at(-1) ?? 0) + 1;
  let logits = first;
  for (;;) {
    if (signal.aborted) return 'aborted';
    const allowed = masked(logits, mask);
    const id = sample(allowed, request.sampling, counts, random);
    if (!Number.isFinite(allowed[id])) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        'The model computes values that are not finite; its weights are damaged.',
      );
    }
    if (output.tokenIds.length === 0) timings.firstTokenMs = performance.now() - startedAt;
    if (eosIds.includes(id)) return 'stop';
    counts.add(id);
    const stopped = output.push(id, logits);
    mask?.accept(id);
    if (stopped || mask?.done) return 'stop';
    const count = output.tokenIds.length;
    if (count === request.maxTokens) return 'length';
    const stepStart = performance.now();
    const next = await unlessAborted(
      signal,
      stepAndMask(sequence, { id, position: position + count - 1, tap: evidence?.tap(count) }, mask),
    );
    if (!next) return 'aborted';
    logits = next;
    timings.perTokenMs.push(performance.now() - stepStart);
  }
}

/** The next mask is computed while the model runs. Of two failures the step's counts, and the step is always awaited. */
async function stepAndMask(
  sequence: RunningSequence,
  { id, position, tap }: { id: number; position: number; tap: QueryTap | undefined },
  mask: TokenMask | null,
): Promise<Float32Array> {
  const masking = mask?.prepare(sequence.request.signal);
  masking?.catch(() => {});
  const logits = await sequence.step(id, position, tap);
  await masking;
  return logits;
}

function masked(logits: Float32Array, mask: TokenMask | null): Float32Array {
  if (!mask) return logits;
  const allowed = logits.slice();
  mask.apply(allowed);
  return allowed;
}

/** Null when the work failed because the signal was aborted. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function newTimings(): Timings {
  return {
    queueMs: 0,
    imageMs: 0,
    visionMs: 0,
    prefillMs: 0,
    firstTokenMs: 0,
    decodeMs: 0,
    perTokenMs: [],
    totalMs: 0,
  };
}
