import type { EncodedImage } from '../model/encoded-image.ts';
import type { AnswerStream } from './answer-stream.ts';
import type { GenerateOptions, Turn } from './types.ts';

type Ask = (
  question: string,
  history: readonly Turn[],
  options: GenerateOptions,
  done: (turn: Turn) => void,
) => AnswerStream;

/** Turns about one picture, or about none. The picture is encoded once; what the KV cache holds is not run again. */
export class Conversation {
  /** The picture, once the first question has encoded it. */
  image: EncodedImage | null = null;
  readonly #ask: Ask;
  #history: Turn[];

  constructor(ask: Ask, history: readonly Turn[]) {
    this.#ask = ask;
    this.#history = [...history];
  }

  /** Past turns, oldest first. A turn is added when its answer is complete, or was stopped after some text. */
  get history(): readonly Turn[] {
    return this.#history;
  }

  /** @throws (through the stream) CogVLM2Error; the conversation is then as it was before. */
  ask(question: string, options: GenerateOptions = {}): AnswerStream {
    return this.#ask(question, [...this.#history], options, (turn) => this.#history.push(turn));
  }

  /** Takes over a picture that was encoded for a question; of two that came together, the first stays. */
  keep(encoded: EncodedImage): void {
    if (this.image) encoded.dispose();
    else this.image = encoded;
  }

  /** Forgets the turns; the picture stays. */
  clear(): void {
    this.#history = [];
  }

  /** Frees the picture, if this conversation encoded it. */
  dispose(): void {
    this.image?.dispose();
    this.image = null;
  }
}
