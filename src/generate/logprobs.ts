import { CogVLM2Error } from '../errors.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

/** The probability of one token at its position. */
export interface TokenProbability {
  id: number;
  /** The token's text; incomplete characters are U+FFFD. */
  text: string;
  /** The token's bytes. The joined bytes of all tokens are the answer in UTF-8. */
  bytes: number[];
  /** Natural logarithm of the probability, at most 0. */
  logprob: number;
}

export interface TokenLogprobs extends TokenProbability {
  /** The most likely tokens at this position, most likely first. The token itself may be missing. */
  top: TokenProbability[];
}

/** The limit of the OpenAI API. */
const mostAlternatives = 20;

/** @throws CogVLM2Error `invalid_value` naming the value and its limits. */
export function checkLogprobs(count: number | undefined): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= mostAlternatives)) return;
  throw new CogVLM2Error(
    'invalid_value',
    `logprobs must be a whole number from 0 to ${mostAlternatives}; got ${count}.`,
  );
}

/**
 * The log-probability of `id` and of the `count` likeliest tokens.
 * @param logits the model's logits before penalties, temperature and mask
 */
export function logprobsOf(
  logits: Float32Array,
  id: number,
  count: number,
  tokenizer: Pick<Tokenizer, 'bytesOf'>,
): TokenLogprobs {
  const logTotal = logSumExp(logits);
  const describe = (token: number): TokenProbability => {
    const bytes = tokenizer.bytesOf(token);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    return { id: token, text, bytes: [...bytes], logprob: Math.min(0, (logits[token] ?? 0) - logTotal) };
  };
  return { ...describe(id), top: largest(logits, count).map(describe) };
}

function logSumExp(logits: Float32Array): number {
  const top = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  return top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
}

/** Ids of the `count` largest logits, largest first; for equal logits the lower id first. */
function largest(logits: Float32Array, count: number): number[] {
  const ids: number[] = [];
  if (count === 0) return ids;
  const logitAt = (place: number) => logits[ids[place] ?? -1] ?? Number.NEGATIVE_INFINITY;
  for (const [id, logit] of logits.entries()) {
    if (ids.length === count && logit <= logitAt(count - 1)) continue;
    let place = ids.length;
    while (place > 0 && logit > logitAt(place - 1)) place--;
    ids.splice(place, 0, id);
    ids.length = Math.min(ids.length, count);
  }
  return ids;
}
