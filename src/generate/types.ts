import type { AnswerFormat } from '../grammar/answer-grammar.ts';
import type { ImageOrigin } from '../model/encoded-image.ts';
import type { AnswerBox } from '../text/boxes.ts';
import type { Evidence } from './evidence.ts';
import type { TokenLogprobs } from './logprobs.ts';
import type { SequenceState } from './sequence.ts';

/** Sampling of an answer. `temperature` 0 (the default) is greedy and ignores the other options. */
export interface SamplingOptions {
  /** 0: greedy. Otherwise logits are divided by it. */
  temperature?: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  topK?: number;
  /** Keep the smallest set of tokens whose probabilities sum to p (0 < p <= 1). */
  topP?: number;
  /** Drop tokens less likely than this share of the most likely one (0 <= p < 1). */
  minP?: number;
  /** 1: off. Above 1, tokens that are already in the prompt or the answer become less likely. */
  repetitionPenalty?: number;
  /** -2 to 2; 0: off. Subtracted from the logit of each token that is already in the answer, like in OpenAI's API. */
  presencePenalty?: number;
  /** -2 to 2; 0: off. Subtracted from the logit of a token once for each time that it is already in the answer. */
  frequencyPenalty?: number;
  /**
   * The same seed, prompt and machine give the same text. An integer of up to 64 bits, -2^63 to 2^64 - 1. Default: a random seed.
   */
  seed?: number | bigint;
}

export interface GenerateOptions extends SamplingOptions {
  /** Maximum tokens of the answer. Default: the rest of the context, at most 2,048. */
  maxTokens?: number;
  /** The answer ends before the first of these strings, which is never shown. */
  stop?: string | readonly string[];
  /** Enforced while sampling; a complete answer has this format. A `stop` string can cut it before that. */
  format?: AnswerFormat;
  /**
   * The start of the answer. The model continues it, and only the continuation is returned. Trailing white space is ignored. For the
   * templates chat and vqa only.
   */
  answerStart?: string;
  /** Report the log-probability of each token, and of this number (0 to 20) of the most likely tokens at its position. */
  logprobs?: number;
  /**
   * Report the regions of the image from which the answer was read; see `Answer.evidence`. Experimental: the heads were selected for the
   * demo model, and published weights were not tried. Without an image there is no evidence.
   */
  evidence?: boolean;
  /**
   * `chat`, `vqa` for short answers, or `base` for the text without a template. Default: the template of the model. A model with `base`
   * uses `chat` if there are earlier turns, because `base` does not support them.
   */
  template?: 'chat' | 'vqa' | 'base';
  /** Name of one of the loaded `adapters`. Default: only the adapter for all answers, if there is one. */
  adapter?: string;
  /** Earlier turns of the conversation, oldest first. */
  history?: readonly Turn[];
  /** Name of the client. The queue is round-robin over clients. */
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
  /** All tokens of the prompt, including image tokens. */
  promptTokens: number;
  /** Number of image tokens among them. */
  imageTokens: number;
  /** Tokens of the prompt that were in a prefix cache. */
  cachedTokens: number;
  completionTokens: number;
}

/** Wall-clock time of each stage of one answer, in milliseconds; 0 if a stage was not needed. */
export interface Timings {
  /** Time in the scheduler's queue, until there was KV memory for the answer. */
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
  /** Time of each decode step. */
  perTokenMs: number[];
  totalMs: number;
}

export interface Answer {
  text: string;
  tokenIds: number[];
  /** With `format`, the text is complete only when this is `stop` and `stopString` is null. */
  finishReason: FinishReason;
  /** The stop string that ended the answer. */
  stopString: string | null;
  /** For each of `tokenIds`, if `logprobs` was set. */
  logprobs?: TokenLogprobs[];
  /** The regions from which it was read, if `evidence` was set and there is an image. */
  evidence?: Evidence;
  /** Boxes in the text of a grounding model, such as `a dog [[086,540,400,760]]`, if there are any. */
  boxes?: AnswerBox[];
  /**
   * The origin of the image tokens: the vision tower, the memory of this process, the image cache on disk, or a KV cache that already
   * has the image (`prefix`). Null without an image.
   */
  imageOrigin: ImageOrigin | 'prefix' | null;
  /** This seed gives the same text again. It is the requested seed, or for a seed above 2^53 a smaller one with the same draws. */
  seed: number;
  usage: Usage;
  timings: Timings;
  /** Omitted or changed parts of the input, such as text of a PDF page that could not be rendered. One sentence each. */
  warnings: string[];
}

export type AnswerEvent =
  | { type: 'progress'; progress: Progress }
  /**
   * `text` is final: it has no incomplete character and no start of a stop string. `logprobs` belong to the tokens since the previous
   * text, if they were requested.
   */
  | { type: 'text'; text: string; logprobs?: TokenLogprobs[] }
  | { type: 'done'; answer: Answer };

/** One past question and its answer. */
export interface Turn {
  question: string;
  answer: string;
}

/**
 * The question about an image or a video without text, in Chinese or in English.
 * @param texts the texts of the conversation
 * @param language in the format of the header `accept-language`, such as `zh-CN,zh;q=0.9`
 */
export function imageQuestion(texts: readonly string[], language = '', isVideo = false): string {
  const isChinese = /^zh\b/i.test(language) || texts.some((text) => /\p{Script=Han}/u.test(text));
  // The question about videos is from the published demos.
  if (isVideo) return isChinese ? '请详细描述这段视频。' : 'Please describe this video in detail.';
  return isChinese ? '描述这张图片。' : 'Describe this image.';
}

/** The state of the scheduler. */
export interface Stats {
  /** Numbers of questions with KV memory and in the queue. */
  running: number;
  waiting: number;
  /** Number of questions in each state. */
  states: Record<Exclude<SequenceState, 'finished'>, number>;
  /** Maximum number of questions that run at the same time. */
  slots: number;
  /** Capacity in tokens: of the KV caches of running questions, of all KV caches, and the limit. */
  kvTokensRunning: number;
  kvTokensUsed: number;
  kvTokens: number;
  imageCacheBytes: number;
  /** Memory of the whole GPU, including other programs; null on a CPU. */
  gpuMemory: { usedBytes: number; totalBytes: number } | null;
  /** Counters since the start, of complete blocks. */
  visionBlocks: number;
  decodeSteps: number;
  tokensGenerated: number;
}

/** The result of `check`: tokens of the whole prompt, image tokens among them, and the limit of the answer. */
export interface PromptSize {
  promptTokens: number;
  imageTokens: number;
  maxTokens: number;
  /** Unknown keys of a JSON Schema that were ignored, each with its path. */
  ignored: readonly string[];
}
