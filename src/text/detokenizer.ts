/**
 * Ids to text while they are generated. All that `push` and `flush` give, joined, is `tokenizer.decode` of all the ids:
 * a character whose bytes are spread over several tokens appears when it is whole, and a space that the reference's
 * clean-up might remove waits for what follows. Each token costs its own bytes and no more.
 */
import { SpaceCleaner } from './clean-spaces.ts';
import type { DecodeOptions, Tokenizer } from './tokenizer.ts';

export class Detokenizer {
  readonly #tokenizer: Pick<Tokenizer, 'bytesOf' | 'isSpecial'>;
  readonly #keepSpecial: boolean;
  readonly #cleaner: SpaceCleaner | null;
  // ignoreBOM: U+FEFF is a character like any other here, not a mark to swallow.
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

  /** What was held back; an unfinished character becomes U+FFFD. Ready for the next text afterwards. */
  flush(): string {
    const text = this.#utf8.decode();
    return this.#cleaner === null ? text : this.#cleaner.push(text) + this.#cleaner.flush();
  }
}
