/** Messages out of lines: a line is a message, and what stands between triple quotes is one too. */

const QUOTES = '"""';

export interface Lines {
  next(prompt: string): Promise<string | null>;
}

export class MessageReader {
  readonly #lines: Lines;
  /** The lines of an open triple quote. */
  #open: string[] | null = null;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Forgets a triple quote that is open. */
  discard(): void {
    this.#open = null;
  }

  /** The next message; null at the end. The end of the input closes an open quote. */
  async next(): Promise<string | null> {
    for (;;) {
      const line = await this.#lines.next(this.#open === null ? '>>> ' : '... ');
      if (line === null) return this.#close();
      if (this.#open !== null) {
        if (!line.trimEnd().endsWith(QUOTES)) {
          this.#open.push(line);
          continue;
        }
        this.#open.push(line.trimEnd().slice(0, -QUOTES.length));
        return this.#close();
      }
      const text = line.trim();
      if (!text.startsWith(QUOTES)) return text;
      const rest = text.slice(QUOTES.length);
      if (rest.endsWith(QUOTES)) return rest.slice(0, -QUOTES.length).trim();
      this.#open = [rest];
    }
  }

  #close(): string | null {
    const text = this.#open?.join('\n').trim() ?? null;
    this.#open = null;
    return text;
  }
}
