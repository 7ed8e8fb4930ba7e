/** The loop of `chat`: reads a message, then writes an answer or the output of a command, until the user leaves. */
import { answerWarnings, renderTimings, showAnswer } from '../answer-output.ts';
import { EXIT_CODES, failureOf, failureText } from '../exit-codes.ts';
import { printable } from '../format.ts';
import type { ProgressReport } from '../progress.ts';
import { colorsFor, type Terminal } from '../terminal.ts';
import { type HistoryFile, LineReader, type Message, MessageReader } from './line-reader.ts';
import type { Attempt, ChatSession } from './session.ts';
import { completeSlashCommand, isSlashCommand, runSlashCommand } from './slash-commands.ts';

export interface LoopOptions {
  session: ChatSession;
  terminal: Terminal;
  progress: ProgressReport;
  historyFile: HistoryFile | null;
  debug: boolean;
}

export class ConversationLoop {
  readonly #options: LoopOptions;
  /** The work that Ctrl-C stops. */
  #work: AbortController | null = null;
  #wasWarned = false;
  #interrupted = false;
  #lines!: LineReader;
  #messages!: MessageReader;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Resolves to the exit status. For a script, it is that of the first failed turn. */
  async run(): Promise<number> {
    const { terminal, historyFile } = this.#options;
    using lines = new LineReader(terminal, {
      history: ((await historyFile?.read()) ?? []).reverse(),
      complete: completeSlashCommand,
      onInterrupt: () => this.#interrupt(),
    });
    this.#lines = lines;
    this.#messages = new MessageReader({ next: (prompt) => this.#nextLine(prompt) });
    let failed: number = EXIT_CODES.ok;
    for (;;) {
      const message = await this.#messages.next();
      if (message === null || this.#interrupted || terminal.outputClosed.aborted) break;
      if (message.text === '') continue;
      const exitCode = await this.#turn(message);
      if (exitCode === 'leave') break;
      failed ||= exitCode;
    }
    if (this.#interrupted && !lines.interactive) return EXIT_CODES.interrupted;
    return lines.interactive ? EXIT_CODES.ok : failed;
  }

  async #nextLine(prompt: string): Promise<string | null> {
    const line = await this.#lines.next(prompt);
    if (line !== null && line !== '') {
      this.#wasWarned = false;
      if (this.#lines.interactive) await this.#options.historyFile?.add(line);
    }
    return line;
  }

  /** One message. A failure is printed, and the conversation continues. */
  async #turn({ text: message, isQuoted }: Message): Promise<number | 'leave'> {
    const { session, terminal, progress, debug } = this.#options;
    const work = new AbortController();
    const signal = AbortSignal.any([work.signal, terminal.outputClosed]);
    this.#work = work;
    try {
      if (isQuoted || !isSlashCommand(message)) return await this.#answer(message, signal);
      const attempt: Attempt = { signal, progress };
      const { text, leave } = await runSlashCommand(message, session, attempt);
      if (text !== undefined) terminal.stdout.write(printable(text, terminal.stdout));
      return leave === true ? 'leave' : EXIT_CODES.ok;
    } catch (error) {
      progress.clear();
      if (signal.aborted) return EXIT_CODES.interrupted;
      terminal.stderr.write(colorsFor(terminal.stderr, terminal.env).red(failureText(error, debug)));
      return failureOf(error).exitCode;
    } finally {
      this.#work = null;
    }
  }

  async #answer(question: string, signal: AbortSignal): Promise<number> {
    const { session, terminal, progress } = this.#options;
    const answer = await showAnswer(session.ask(question, signal), terminal, progress);
    session.lastAnswer = answer;
    for (const warning of answerWarnings(answer)) terminal.stderr.write(`cogvlm2: ${warning}\n`);
    if (session.settings.verbose) terminal.stderr.write(renderTimings(answer));
    return answer.finishReason === 'aborted' ? EXIT_CODES.interrupted : EXIT_CODES.ok;
  }

  #interrupt(): void {
    const lines = this.#lines;
    const action = interruptAction({
      isWorking: this.#work !== null,
      hasDraft: lines.unfinished !== '' || this.#messages.isOpen,
      wasWarned: this.#wasWarned,
      isInteractive: lines.interactive,
    });
    if (action === 'stop-answer') this.#work?.abort();
    else if (action === 'discard-draft') {
      this.#wasWarned = false;
      this.#messages.discard();
      lines.discard();
    } else if (action === 'warn') {
      this.#wasWarned = true;
      lines.discard();
      this.#options.terminal.stderr.write('Press Ctrl-C again to leave, or use Ctrl-D or /bye.\n');
    } else {
      this.#interrupted = true;
      this.#work?.abort();
      lines.close();
    }
  }
}

export interface Situation {
  /** An answer is generated or an image is encoded. */
  isWorking: boolean;
  /** The line has text, or a triple quote is open. */
  hasDraft: boolean;
  /** The last key at this empty prompt was Ctrl-C. */
  wasWarned: boolean;
  /** Standard input is a terminal. */
  isInteractive: boolean;
}

export type InterruptAction = 'stop-answer' | 'discard-draft' | 'warn' | 'leave';

/** Ctrl-C stops the answer. At an empty prompt, the second Ctrl-C leaves. A script ends at once. */
export function interruptAction({
  isWorking,
  hasDraft,
  wasWarned,
  isInteractive,
}: Situation): InterruptAction {
  if (!isInteractive) return 'leave';
  if (isWorking) return 'stop-answer';
  if (hasDraft) return 'discard-draft';
  return wasWarned ? 'leave' : 'warn';
}
