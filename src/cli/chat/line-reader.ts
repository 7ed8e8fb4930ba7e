/**
 * Reads lines from a terminal or a script. On a terminal, readline edits and remembers them. While an answer is written, the echo
 * is off, so that typed text does not mix with the answer.
 */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { OutputStream, Terminal } from '../terminal.ts';

export interface LineReaderOptions {
  /** Newest first, as readline expects them. */
  history: string[];
  complete(line: string): [string[], string];
  onInterrupt(): void;
}

export class LineReader implements Disposable {
  /** Standard input is a terminal: there are prompts and line editing. */
  readonly interactive: boolean;
  readonly #readline: Interface;
  readonly #screen: OutputStream;
  readonly #lines: string[] = [];
  #waiting: ((line: string | null) => void) | null = null;
  #closed = false;
  readonly #forgetInterrupt: () => void;

  constructor(terminal: Terminal, options: LineReaderOptions) {
    const { stdin, stdout, stderr } = terminal;
    this.interactive = stdin.isTTY === true;
    this.#screen = stdout.isTTY === true ? stdout : stderr;
    this.#readline = createInterface({
      input: stdin,
      ...(this.interactive && { output: this.#echo(), completer: options.complete }),
      terminal: this.interactive,
      history: options.history,
      historySize: 1_000,
      removeHistoryDuplicates: true,
    });
    this.#readline.on('line', (line) => this.#take(line));
    this.#readline.on('close', () => {
      this.#closed = true;
      if (this.interactive && this.#waiting !== null) this.#screen.write('\n');
      this.#waiting?.(null);
    });
    // In raw mode, Ctrl-C is a key that readline reports. A signal from another process comes through the terminal.
    this.#readline.on('SIGINT', options.onInterrupt);
    this.#forgetInterrupt = terminal.onInterrupt(options.onInterrupt);
    terminal.outputClosed.addEventListener('abort', () => this.#readline.close(), { once: true });
  }

  /** The next line; null at the end of the input. */
  async next(prompt: string): Promise<string | null> {
    const typedAhead = this.#lines.shift();
    if (typedAhead !== undefined) {
      if (this.interactive) this.#screen.write(`${prompt}${typedAhead}\n`);
      return typedAhead;
    }
    if (this.#closed) return null;
    return await new Promise((resolve) => {
      this.#waiting = (line) => {
        this.#waiting = null;
        resolve(line);
      };
      if (!this.interactive) return;
      this.#readline.setPrompt(prompt);
      this.#readline.prompt(true);
    });
  }

  /** The text of the line that is being edited. */
  get unfinished(): string {
    return this.interactive ? this.#readline.line : '';
  }

  /** Discards the edited line and resolves the pending read with an empty one, so that a new prompt appears. */
  discard(): void {
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
    this.#screen.write('\n');
    this.#waiting?.('');
  }

  close(): void {
    this.#readline.close();
  }

  [Symbol.dispose](): void {
    this.#forgetInterrupt();
    this.#readline.close();
  }

  #take(line: string): void {
    if (this.#waiting !== null) this.#waiting(line);
    else this.#lines.push(line);
  }

  /** The output of readline: the screen, but only while a line is read. */
  #echo(): Writable {
    const screen = this.#screen;
    const isAwaited = () => this.#waiting !== null;
    const echo = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        if (isAwaited()) screen.write(chunk);
        done();
      },
    });
    // readline needs these to know where lines wrap.
    Object.defineProperties(echo, { isTTY: { value: true }, columns: { get: () => screen.columns ?? 80 } });
    screen.on('resize', () => echo.emit('resize'));
    return echo;
  }
}
