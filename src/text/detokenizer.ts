/**
 * Ids to text while they are generated. The joined results of `push` and `flush` are `tokenizer.decode` of all ids, with one
 * difference: SentencePiece's space at the beginning stays, because an answer may continue a text. A character whose bytes are in
 * several tokens is returned when it is complete. A space that the reference's clean-up may remove is held back. The cost of a
 * token does not depend on the length of the text.
 */
import { SpaceCleaner } from './clean-spaces.ts';
import type { DecodeOptions, Tokenizer } from './tokenizer.ts';

export class Detokenizer {
  readonly #tokenizer: Pick<Tokenizer, 'bytesOf' | 'isSpecial'>;
  readonly #keepSpecial: boolean;
  readonly #cleaner: SpaceCleaner | null;
  // ignoreBOM: U+FEFF is an ordinary character here and is kept.
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    tokenizer: Pick<Tokenizer, 'bytesOf' | 'isSpecial' | 'cleansSpaces'>,
    options: DecodeOptions = {},
  ) {
    this.#tokenizer = tokenizer;
    this.#keepSpecial = options.keepSpecial ?? false;
    this.#cleaner = (options.cleanSpaces ?? tokenizer.cleansSpaces) ? new SpaceCleaner() : null;
  }

  /** The text that is final with this id; often empty. */
  push(id: number): string {
    if (!this.#keepSpecial && this.#tokenizer.isSpecial(id)) return '';
    const text = this.#utf8.decode(this.#tokenizer.bytesOf(id), { stream: true });
    return this.#cleaner === null ? text : this.#cleaner.push(text);
  }

  /** Returns the text that was held back. An incomplete character becomes U+FFFD. Afterwards the next text can begin. */
  flush(): string {
    const text = this.#utf8.decode();
    return this.#cleaner === null ? text : this.#cleaner.push(text) + this.#cleaner.flush();
  }
}
