import type { AnswerFormat } from '../grammar/answer-grammar.ts';
import type { ImageOrigin } from '../model/encoded-image.ts';
import type { AnswerBox } from '../text/boxes.ts';
import type { Evidence } from './evidence.ts';
import type { TokenLogprobs } from './logprobs.ts';
import type { SequenceState } from './sequence.ts';

/** How an answer is drawn from the logits. `temperature` 0 (the default) is greedy and ignores the rest. */
export interface SamplingOptions {
  /** 0 is greedy; above, logits are divided by it. */
  temperature?: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  topK?: number;
  /** Keep the smallest set of tokens whose probabilities sum to p (0 < p <= 1). */
  topP?: number;
  /** Drop tokens less likely than this share of the most likely one (0 <= p < 1). */
  minP?: number;
  /** 1 is off; above, tokens that the prompt or the answer already has become less likely. */
  repetitionPenalty?: number;
  /** -2 to 2, 0 is off. Subtracted from the logit of each token that the answer already has, as in OpenAI's API. */
  presencePenalty?: number;
  /** -2 to 2, 0 is off. Subtracted from a token's logit once for each time that the answer has it already. */
  frequencyPenalty?: number;
  /**
   * Same seed, same prompt, same machine: same text. An integer of up to 64 bits, -2^63 to 2^64 - 1. Drawn at random
   * when absent.
   */
  seed?: number | bigint;
}

export interface GenerateOptions extends SamplingOptions {
  /** Most tokens to answer with; the default is what the context leaves, at most 2,048. */
  maxTokens?: number;
  /** The answer ends before the first of these; none of it is ever shown. */
  stop?: string | readonly string[];
  /** Enforced while sampling; a complete answer has this format. A `stop` string can cut it before that. */
  format?: AnswerFormat;
  /**
   * How the answer begins. The model continues from there, and only the continuation is returned. Trailing white space
   * is left to the model. Templates chat and vqa only.
   */
  answerStart?: string;
  /** Report the log-probability of each token, and of so many (0 to 20) of the most likely tokens at its place. */
  logprobs?: number;
  /**
   * Report where in the image the answer was read; see `Answer.evidence`. Experimental: the heads were chosen on the demo model,
   * and no published weights were tried. Without an image there is none.
   */
  evidence?: boolean;
  /**
   * `chat`, `vqa` for short answers, or `base` for the bare text. Default: that of the model; with earlier turns `chat` for a model
   * of `base`, which has no place for them.
   */
  template?: 'chat' | 'vqa' | 'base';
  /** Name of one of the `adapters` that the model was loaded with. Default: none but the one of all answers. */
  adapter?: string;
  /** Earlier turns of the conversation, oldest first. */
  history?: readonly Turn[];
  /** Where several clients ask at once and some must wait, their questions are taken in turn. */
  client?: string;
  /** Called when the scheduler moves the answer to another state. */
  onState?: (state: SequenceState) => void;
  /** Stops within one token, or one block of the vision tower. */
  signal?: AbortSignal;
}

/** Progress of one stage. */
export interface Progress {
  stage: 'load' | 'vision' | 'prefill' | 'convert' | 'download' | 'verify' | 'answer';
  /** load, convert, download and verify: bytes; vision: layers of the tower, with the share of the next; prefill: tokens; answer: questions. */
  done: number;
  total: number;
}

export type FinishReason = 'stop' | 'length' | 'aborted';

export interface Usage {
  /** All tokens of the prompt, the image's included. */
  promptTokens: number;
  /** Tokens of the image among them. */
  imageTokens: number;
  /** Tokens of the prompt that came from a prefix cache. */
  cachedTokens: number;
  completionTokens: number;
}

/** Wall time of each stage of one answer, in milliseconds. Zero where a stage was not needed. */
export interface Timings {
  /** In the scheduler's queue, before there was KV memory for the answer. */
  queueMs: number;
  /** Reading, decoding and resizing the image. */
  imageMs: number;
  /** Tower, convolution and adapter. */
  visionMs: number;
  prefillMs: number;
  /** From the call to the first token. */
  firstTokenMs: number;
  /** All decode steps together. */
  decodeMs: number;
  /** Each decode step by itself. */
  perTokenMs: number[];
  totalMs: number;
}

export interface Answer {
  text: string;
  tokenIds: number[];
  /** With `format`, the text is complete only when this is `stop` and `stopString` is null. */
  finishReason: FinishReason;
  /** The one of `stop` that ended the answer. */
  stopString: string | null;
  /** For each of `tokenIds`, when `logprobs` asked for it. */
  logprobs?: TokenLogprobs[];
  /** Where in the image it was read, when `evidence` asked for it and there is an image. */
  evidence?: Evidence;
  /** Boxes in the text, such as `a dog [[086,540,400,760]]` of a grounding model, where it has some. */
  boxes?: AnswerBox[];
  /**
   * Where the image's tokens come from: the vision tower, the memory of this process, the image cache on disk, or a KV
   * cache that holds the image already (`prefix`). Null without an image.
   */
  imageOrigin: ImageOrigin | 'prefix' | null;
  /** Gives the same text again. The seed that was asked for; for one beyond 2^53, a smaller one with the same draws. */
  seed: number;
  usage: Usage;
  timings: Timings;
  /** What was left out or changed, such as text of a PDF page that could not be drawn. One sentence each. */
  warnings: string[];
}

export type AnswerEvent =
  | { type: 'progress'; progress: Progress }
  /**
   * `text` is final: no half of a character, no start of a stop string. `logprobs`, when asked for, are those of the
   * tokens since the previous text.
   */
  | { type: 'text'; text: string; logprobs?: TokenLogprobs[] }
  | { type: 'done'; answer: Answer };

/** One past question and its answer. */
export interface Turn {
  question: string;
  answer: string;
}

/**
 * The question about an image or a video that comes without one, in Chinese or in English.
 * @param texts of the conversation
 * @param language as in the header `accept-language`, such as `zh-CN,zh;q=0.9`
 */
export function imageQuestion(texts: readonly string[], language = '', isVideo = false): string {
  const isChinese = /^zh\b/i.test(language) || texts.some((text) => /\p{Script=Han}/u.test(text));
  // The question about videos is that of the published demos.
  if (isVideo) return isChinese ? '请详细描述这段视频。' : 'Please describe this video in detail.';
  return isChinese ? '描述这张图片。' : 'Describe this image.';
}

/** What the scheduler is doing. */
export interface Stats {
  /** Questions that have KV memory, and those in the queue. */
  running: number;
  waiting: number;
  /** How many are in each state. */
  states: Record<Exclude<SequenceState, 'finished'>, number>;
  /** Most questions that run at the same time. */
  slots: number;
  /** Capacity in tokens: of the KV caches of running questions, of all KV caches, and the limit. */
  kvTokensRunning: number;
  kvTokensUsed: number;
  kvTokens: number;
  imageCacheBytes: number;
  /** Of the whole GPU, whichever programs use it; null on a CPU. */
  gpuMemory: { usedBytes: number; totalBytes: number } | null;
  /** Counters that only grow; whole blocks only. */
  visionBlocks: number;
  decodeSteps: number;
  tokensGenerated: number;
}

/** What `check` finds: tokens of the whole prompt, those of them for the image, and the limit of the answer. */
export interface PromptSize {
  promptTokens: number;
  imageTokens: number;
  maxTokens: number;
  /** Keys of a JSON Schema that are no keywords and were ignored, each with its place. */
  ignored: readonly string[];
}
