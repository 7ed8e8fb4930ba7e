/**
 * The reference detokenizer's `clean_up_tokenization_spaces`: ten literal replacements in sequence. The order matters:
 * " ' ." loses the space before the full stop first, so the quote keeps its space. So the streaming form has ten stages and
 * not one pattern.
 *
 * Source: transformers, PreTrainedTokenizerBase.clean_up_tokenization. The published tokenizers switch it on.
 */
import { heldBack } from './stop-strings.ts';

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

/** The same for text in pieces: the joined results of `push` and `flush` are `cleanSpaces` of the joined input. */
export class SpaceCleaner {
  readonly #stages = RULES.map(([from, to]) => new StreamingReplace(from, to));

  /** The text that is final now. A trailing space is held back, because a full stop may follow. */
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
    // Only the text after the last match can begin another match.
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
