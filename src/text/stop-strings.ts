/**
 * Ends a stream of text at the first stop string and never shows a part of one: characters that may begin a stop string are
 * held back until the next characters decide.
 *
 * The first stop string is the one that is complete first, read character by character (of two that end together, the
 * longer one), so the result does not depend on how the text is split into pieces.
 */
import { CogVLM2Error } from '../errors.ts';

export interface StopResult {
  /** Final text. It never contains a stop string, or the beginning of the one that was found. */
  readonly text: string;
  /** A stop string was found. Later text is dropped. */
  readonly stopped: boolean;
}

export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #found: string | null = null;

  /** @throws CogVLM2Error invalid_value: an empty stop string, which would stop everything */
  constructor(stops: readonly string[]) {
    const empty = stops.indexOf('');
    if (empty >= 0) {
      throw new CogVLM2Error(
        'invalid_value',
        `Stop string ${empty + 1} of ${stops.length} is empty: leave it out.`,
      );
    }
    this.#stops = stops;
  }

  /** The stop string that ended the text, or null. */
  get found(): string | null {
    return this.#found;
  }

  push(text: string): StopResult {
    if (this.#found !== null) return { text: '', stopped: true };
    const buffer = this.#held + text;
    const match = this.#first(buffer);
    if (match !== null) {
      this.#found = match.stop;
      this.#held = '';
      return { text: buffer.slice(0, match.start), stopped: true };
    }
    const waiting = this.#stops.reduce((most, stop) => Math.max(most, heldBack(buffer, stop)), 0);
    this.#held = buffer.slice(buffer.length - waiting);
    return { text: buffer.slice(0, buffer.length - waiting), stopped: false };
  }

  /** The end of the text. @returns the text that was held back */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #first(buffer: string): { stop: string; start: number } | null {
    let best: { stop: string; start: number } | null = null;
    for (const stop of this.#stops) {
      const start = buffer.indexOf(stop);
      if (start < 0) continue;
      const sooner = best === null ? -1 : start + stop.length - (best.start + best.stop.length);
      if (sooner < 0 || (sooner === 0 && start < best!.start)) best = { stop, start };
    }
    return best;
  }
}

/**
 * How many characters at the end of `text` may be the start of `pattern`: the length of the longest proper prefix of
 * `pattern` that `text` ends with. These are held back until the next characters decide.
 */
export function heldBack(text: string, pattern: string): number {
  for (let length = Math.min(text.length, pattern.length - 1); length > 0; length--) {
    if (text.endsWith(pattern.slice(0, length))) return length;
  }
  return 0;
}
