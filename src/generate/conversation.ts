import type { EncodedImage } from '../model/encoded-image.ts';
import type { VisualSource } from '../video/video.ts';
import { type Answering, answerQuestion } from './answer-question.ts';
import { AnswerStream } from './answer-stream.ts';
import type { GenerateOptions, Turn } from './types.ts';

/** Turns about one image, or without an image. The image is encoded once, and rows in the KV cache are not computed again. */
export class Conversation {
  /** The image after the first question encoded it. */
  image: EncodedImage | null = null;
  readonly #answering: Answering;
  readonly #source: EncodedImage | VisualSource | null;
  #history: Turn[];

  constructor(answering: Answering, source: EncodedImage | VisualSource | null, history: readonly Turn[]) {
    this.#answering = answering;
    this.#source = source;
    this.#history = [...history];
  }

  /** Past turns, oldest first. A turn is added when its answer is complete, or was stopped after some text. */
  get history(): readonly Turn[] {
    return this.#history;
  }

  /** @throws (through the stream) CogVLM2Error; the conversation is then unchanged */
  ask(question: string, options: Omit<GenerateOptions, 'history'> = {}): AnswerStream {
    const history = [...this.#history];
    return new AnswerStream(async (emit, left) => {
      const { signal } = options;
      const stopped = signal ? AbortSignal.any([signal, left]) : left;
      const asked = {
        image: this.image ?? this.#source,
        question,
        options: { ...options, history },
        keepImage: (encoded: EncodedImage) => this.#keep(encoded),
      };
      const answer = await answerQuestion(this.#answering, asked, emit, stopped);
      if (answer.text !== '') this.#history.push({ question, answer: answer.text });
      return answer;
    });
  }

  /** Removes the turns; the image stays. */
  clear(): void {
    this.#history = [];
  }

  /** Frees the image, if this conversation encoded it. */
  dispose(): void {
    this.image?.dispose();
    this.image = null;
  }

  /** If two concurrent questions encoded the image, the first one is kept. */
  #keep(encoded: EncodedImage): void {
    if (this.image) encoded.dispose();
    else this.image = encoded;
  }
}
