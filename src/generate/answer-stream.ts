import type { Answer, AnswerEvent } from './types.ts';

export type Emit = (event: AnswerEvent) => void;

/**
 * One answer. Iterate it for the events, or await `result()`; either starts the work. Leaving the iteration early stops it
 * within one token.
 */
export class AnswerStream implements AsyncIterable<AnswerEvent> {
  readonly #work: (emit: Emit, signal: AbortSignal) => Promise<Answer>;
  #started = false;

  /** `work` must end soon after `signal` is aborted. */
  constructor(work: (emit: Emit, signal: AbortSignal) => Promise<Answer>) {
    this.#work = work;
  }

  /** The whole answer. */
  async result(): Promise<Answer> {
    for await (const event of this) if (event.type === 'done') return event.answer;
    throw new Error('The answer ended without a final event.');
  }

  /** Only the text, in pieces. */
  async *text(): AsyncGenerator<string> {
    for await (const event of this) if (event.type === 'text') yield event.text;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AnswerEvent> {
    if (this.#started) throw new Error('An answer can be read only once. Ask again for another answer.');
    this.#started = true;
    const events: AnswerEvent[] = [];
    const left = new AbortController();
    let wake = () => {};
    let finished = false;
    const emit = (event: AnswerEvent) => {
      events.push(event);
      wake();
    };
    const work = this.#work(emit, left.signal).finally(() => {
      finished = true;
      wake();
    });
    // The reader below gets the error. Before that it must not count as an unhandled rejection.
    work.catch(() => {});
    try {
      while (!finished || events.length > 0) {
        const event = events.shift();
        if (event) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      yield { type: 'done', answer: await work };
    } finally {
      left.abort();
      await work.catch(() => {});
    }
  }
}
