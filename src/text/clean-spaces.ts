/**
 * The reference detokenizer's `clean_up_tokenization_spaces`: ten literal replacements, one after the other. The order is
 * part of the result (" ' ." loses the space before the full stop first, so the quote keeps its own), which is why the
 * streaming form is ten small stages in a row and not one pattern.
 *
 * Source: transformers, PreTrainedTokenizerBase.clean_up_tokenization. The published tokenizers switch it on.
 */
import { heldBack } from './hold-back.ts';

const RULES: readonly (readonly [from: string, to: string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** The whole text, cleaned up. */
export function cleanSpaces(text: string): string {
  return RULES.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

/** The same for text that arrives in pieces: all that `push` and `flush` give, joined, is `cleanSpaces` of all pushed. */
export class SpaceCleaner {
  readonly #stages = RULES.map(([from, to]) => new StreamingReplace(from, to));

  /** What is final now. A trailing space, for one, waits: a full stop may follow. */
  push(text: string): string {
    return this.#stages.reduce((piece, stage) => (piece === '' ? '' : stage.push(piece)), text);
  }

  /** The rest. The cleaner is empty again afterwards. */
  flush(): string {
    return this.#stages.reduce((piece, stage) => stage.push(piece) + stage.flush(), '');
  }
}

/** `replaceAll` of one literal on a stream: matches are found from the left and do not overlap. */
class StreamingReplace {
  readonly #from: string;
  readonly #to: string;
  #held = '';

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  push(text: string): string {
    const parts = (this.#held + text).split(this.#from);
    // Only what follows the last match can still begin another one.
    const tail = parts.pop()!;
    const kept = tail.length - heldBack(tail, this.#from);
    this.#held = tail.slice(kept);
    return [...parts, tail.slice(0, kept)].join(this.#to);
  }

  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}
