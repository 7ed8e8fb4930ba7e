/** Builds messages from lines: a line is a message, and so is the text between triple quotes. */

const QUOTES = '"""';

export interface Message {
  text: string;
  /** From triple quotes: a question, even if it begins like a command. */
  isQuoted: boolean;
}

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
  async next(): Promise<Message | null> {
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
      if (!text.startsWith(QUOTES)) return { text, isQuoted: false };
      const rest = text.slice(QUOTES.length);
      if (rest.endsWith(QUOTES)) {
        return { text: rest.slice(0, -QUOTES.length).trim(), isQuoted: true };
      }
      this.#open = [rest];
    }
  }

  #close(): Message | null {
    const lines = this.#open;
    this.#open = null;
    return lines === null ? null : { text: lines.join('\n').trim(), isQuoted: true };
  }
}
