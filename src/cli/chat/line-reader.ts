/**
 * Reads lines from a terminal or a script. On a terminal, readline edits and remembers them. During an answer, the echo is off, so
 * that typed text does not mix with the answer.
 */

import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { stateDirectory } from '../../files/folders.ts';
import { writeFileWhole } from '../../files/writing.ts';
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

// Builds messages from lines: a line is a message, and so is the text between triple quotes.

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

// The history of `chat` between runs, for the arrow keys. A file that cannot be read or written is not an error.

const KEPT = 1_000;

export class HistoryFile {
  /** Null for a user without a home folder: then no history is kept. */
  readonly path: string | null;
  #last = '';

  constructor(env: Terminal['env']) {
    const folder = stateDirectory(env);
    this.path = folder && join(folder, 'history');
  }

  /** The last lines, oldest first. A file with twice as many lines is truncated to them. */
  async read(): Promise<string[]> {
    if (this.path === null) return [];
    const lines = (await readFile(this.path, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');
    const kept = lines.slice(-KEPT);
    try {
      if (lines.length > 2 * KEPT) writeFileWhole(this.path, `${kept.join('\n')}\n`);
    } catch {
      // The next run truncates it.
    }
    this.#last = kept.at(-1) ?? '';
    return kept;
  }

  /** Only the user may read the file. */
  async add(line: string): Promise<void> {
    if (this.path === null || line.trim() === '' || line === this.#last) return;
    this.#last = line;
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await appendFile(this.path, `${line}\n`, { mode: 0o600 });
    } catch {
      // The conversation continues without a history.
    }
  }
}
