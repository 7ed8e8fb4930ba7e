/** A predictions file that grows while a run lasts, and from which a later run knows what has an answer. */

import { Journal } from '../files/journal.ts';
import { checkSameSettings } from '../run/same-settings.ts';
import type { Failure, Header, Prediction } from './prediction.ts';
import { asHeader, asLine, isAnswer } from './prediction-file.ts';

export class PredictionLog implements Disposable {
  readonly #journal: Journal;
  readonly #answered = new Set<string>();

  /**
   * Begins a file, or goes on with one whose settings and shard are the same.
   * @throws CogVLM2Error `invalid_value` for another file or other settings, with both values; `write_failed`.
   */
  constructor(file: string, header: Header) {
    let begun = false;
    this.#journal = new Journal(file, (value) => {
      if (begun) {
        const line = asLine(value);
        if (line !== undefined && isAnswer(line)) this.#answered.add(line.id);
        return;
      }
      checkSameSettings(file, answersDependOn(asHeader(value, file)), answersDependOn(header));
      begun = true;
    });
    if (!begun) this.#journal.append(header);
  }

  /** Whether the question had an answer when the file was opened, or got one since. */
  has(id: string): boolean {
    return this.#answered.has(id);
  }

  append(line: Prediction | Failure): void {
    if (isAnswer(line)) {
      if (this.has(line.id)) return;
      this.#answered.add(line.id);
    }
    this.#journal.append(line);
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

function answersDependOn({ settings, shard }: Header) {
  return { ...settings, shard };
}
