import { CogVLM2Error } from '../errors.ts';
import { type AnswerGrammar, answerGrammar, answerGrammarInTurns } from '../grammar/answer-grammar.ts';
import type { ModelConfig } from '../model/config.ts';
import { buildPrompt, type Prompt, type PromptTemplate, promptText } from '../text/prompt.ts';
import { StopStrings } from '../text/stop-strings.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { checkLogprobs } from './logprobs.ts';
import { checkSampling, checkSeed, freshSeed, type Sampling } from './sampler.ts';
import type { GenerateOptions } from './types.ts';

/** A question with checked options and its prompt. */
export interface PreparedRequest {
  prompt: Prompt;
  sampling: Sampling;
  seed: number;
  stops: StopStrings;
  grammar: AnswerGrammar | null;
  answerStart: string;
  /** Alternatives to report for each token; undefined for no log-probabilities. */
  logprobs: number | undefined;
  maxTokens: number;
}

const defaultMaxTokens = 2048;
/** A longer text cannot fit into the context. The tokenizer would need minutes for it. */
export const MAX_BYTES_PER_TOKEN = 16;
/** Prompts of requests that were checked but not asked yet. */
const mostPrompts = 32;

/** Builds prompts. A prompt that was built for `check` is reused by `ask`. */
export class PromptBuilder {
  readonly #config: ModelConfig;
  readonly #tokenizer: Tokenizer;
  readonly #contextSize: number;
  readonly #prompts = new Map<string, Prompt>();

  constructor(config: ModelConfig, tokenizer: Tokenizer, contextSize: number) {
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.#contextSize = contextSize;
  }

  /**
   * `prepare` without blocking the event loop: the text of a long prompt is encoded in a thread, and the grammar of a large schema
   * is built in steps. @throws as `prepare`
   */
  async prepareInBackground(
    hasImage: boolean,
    question: string,
    options: GenerateOptions,
    frameTexts?: readonly string[],
  ): Promise<PreparedRequest> {
    await this.#tokenizer.encodeAhead(this.#checkedText(question, options));
    const grammar = options.format ? await answerGrammarInTurns(options.format) : null;
    return this.#prepare(hasImage, question, options, grammar, frameTexts);
  }

  /**
   * Checks the options and builds the prompt, before any other work.
   * @param frameTexts for a video, the text after each frame
   * @throws CogVLM2Error `invalid_value`, `invalid_json_schema`, `context_length_exceeded`.
   */
  prepare(
    hasImage: boolean,
    question: string,
    options: GenerateOptions,
    frameTexts?: readonly string[],
  ): PreparedRequest {
    this.#checkedText(question, options);
    const grammar = options.format ? answerGrammar(options.format) : null;
    return this.#prepare(hasImage, question, options, grammar, frameTexts);
  }

  #prepare(
    hasImage: boolean,
    question: string,
    options: GenerateOptions,
    grammar: AnswerGrammar | null,
    frameTexts: readonly string[] | undefined,
  ): PreparedRequest {
    if (question.trim() === '') throw new CogVLM2Error('invalid_value', 'The question is empty.');
    const sampling = checkSampling(options);
    checkLogprobs(options.logprobs);
    const stops = new StopStrings([options.stop ?? []].flat());
    const seed = checkSeed(options.seed ?? freshSeed());
    const prompt = this.#promptOf(hasImage, question, options, frameTexts);
    const maxTokens = this.#maxTokensOf(prompt, options.maxTokens);
    const { answerStart = '', logprobs } = options;
    return { prompt, sampling, seed, stops, grammar, answerStart, logprobs, maxTokens };
  }

  /** The selected template, or that of the model. For earlier turns and a start of an answer, "chat" replaces "base". */
  #templateOf({ template, history = [], answerStart = '' }: GenerateOptions): PromptTemplate {
    const needsTurns = history.length > 0 || answerStart !== '';
    return template ?? (needsTurns && this.#config.template === 'base' ? 'chat' : this.#config.template);
  }

  #promptOf(
    hasImage: boolean,
    query: string,
    options: GenerateOptions,
    frameTexts: readonly string[] | undefined,
  ): Prompt {
    const { history = [], answerStart = '' } = options;
    const template = this.#templateOf(options);
    const key = JSON.stringify([hasImage, frameTexts, template, query, history, answerStart]);
    const prompt =
      this.#prompts.get(key) ??
      buildPrompt(this.#tokenizer, {
        template,
        query,
        history,
        answerStart,
        ...(frameTexts && { frameTexts }),
        imageTokenCount: hasImage ? this.#config.vision.imageTokens : 0,
        bosId: this.#config.bosId,
        padId: this.#config.padId,
      });
    this.#prompts.delete(key);
    this.#prompts.set(key, prompt);
    if (this.#prompts.size > mostPrompts) this.#prompts.delete(this.#prompts.keys().next().value ?? '');
    return prompt;
  }

  /** The text of the prompt. @throws CogVLM2Error `context_length_exceeded` if it is too long for the tokenizer */
  #checkedText(question: string, options: GenerateOptions): string {
    const { history = [], answerStart = '' } = options;
    const text = promptText(this.#templateOf(options), question, history, answerStart);
    const sizeBytes = Buffer.byteLength(text);
    const limit = MAX_BYTES_PER_TOKEN * this.#contextSize;
    if (sizeBytes <= limit) return text;
    throw new CogVLM2Error(
      'context_length_exceeded',
      `This model's maximum context length is ${this.#contextSize} tokens. However, the prompt is too long: its text has ${sizeBytes} bytes; at most ${limit} could fit. Shorten the text.`,
      { details: { contextSize: this.#contextSize } },
    );
  }

  #maxTokensOf({ ids, imageTokens }: Prompt, wanted: number | undefined): number {
    const room = this.#contextSize - ids.length;
    const maxTokens = wanted ?? Math.min(defaultMaxTokens, Math.max(1, room));
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      throw new CogVLM2Error('invalid_value', `maxTokens must be a whole number above 0; got ${maxTokens}.`);
    }
    if (maxTokens <= room) return maxTokens;
    const image = imageTokens > 0 ? ` (${imageTokens} of them for the image)` : '';
    const remedy = room >= 1 ? `Lower maxTokens to ${room} or shorten the text.` : 'Shorten the text.';
    // Clients identify the error by its text: litellm by "maximum context length", LangChain by "prompt is too long".
    throw new CogVLM2Error(
      'context_length_exceeded',
      `This model's maximum context length is ${this.#contextSize} tokens. However, the prompt is too long: it has ${ids.length} tokens${image} and the answer may have ${maxTokens}. ${remedy}`,
      { details: { promptTokens: ids.length, contextSize: this.#contextSize } },
    );
  }
}
