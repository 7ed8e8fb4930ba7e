import { Detokenizer } from '../text/detokenizer.ts';
import type { StopStrings } from '../text/stop-strings.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Emit } from './answer-stream.ts';
import { logprobsOf, type TokenLogprobs } from './logprobs.ts';
import type { PreparedRequest } from './prepare-request.ts';

/** Converts the tokens of an answer to its text: whole characters, no stop string, no white space at the start. */
export class OutputFilter {
  readonly tokenIds: number[] = [];
  /** For all tokens; undefined if not requested. */
  readonly logprobs: TokenLogprobs[] | undefined;
  text = '';
  readonly #tokenizer: Tokenizer;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #alternatives: number;
  readonly #trimsStart: boolean;
  readonly #emit: Emit;
  #emittedLogprobs = 0;

  constructor(tokenizer: Tokenizer, request: PreparedRequest, emit: Emit) {
    const { stops, grammar, answerStart, logprobs } = request;
    this.#tokenizer = tokenizer;
    this.#stops = stops;
    this.#emit = emit;
    this.#alternatives = logprobs ?? 0;
    this.logprobs = logprobs === undefined ? undefined : [];
    // Cleaning up spaces would change strings that the grammar has fixed.
    this.#detokenizer = new Detokenizer(tokenizer, grammar ? { cleanSpaces: false } : {});
    // The space between "Answer:" and the answer belongs to the prompt. Within an answer it is text.
    const followsSpace = answerStart === '' || /\s$/.test(answerStart);
    this.#trimsStart = followsSpace && !grammar?.keepsLeadingSpace;
  }

  /**
   * Takes the next token.
   * @param logits the model's logits before mask and penalties
   * @returns whether a stop string is complete
   */
  push(id: number, logits: Float32Array): boolean {
    this.tokenIds.push(id);
    this.logprobs?.push(logprobsOf(logits, id, this.#alternatives, this.#tokenizer));
    return this.#take(this.#detokenizer.push(id));
  }

  /** Emits the text that was held back. @returns whether it completed a stop string */
  end(): boolean {
    if (this.#stops.found !== null) return true;
    const stopped = this.#take(this.#detokenizer.flush());
    this.#show(this.#stops.flush());
    return stopped;
  }

  #take(piece: string): boolean {
    const { text, stopped } = this.#stops.push(piece);
    this.#show(text);
    return stopped;
  }

  #show(piece: string): void {
    const text = this.text === '' && this.#trimsStart ? piece.trimStart() : piece;
    if (text === '') return;
    this.text += text;
    const logprobs = this.logprobs?.slice(this.#emittedLogprobs);
    this.#emittedLogprobs = this.logprobs?.length ?? 0;
    this.#emit({ type: 'text', text, ...(logprobs && { logprobs }) });
  }
}
