/** A terminal in memory: the input and the output of a command in a test. */
import { PassThrough } from 'node:stream';
import type { Library } from '../../src/cli/library-calls.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export interface MemoryTerminal {
  terminal: Terminal;
  stdin: PassThrough & { isTTY?: boolean };
  out(): string;
  err(): string;
  interrupt(): void;
  closeOutput(): void;
}

export interface TerminalOptions {
  env?: Record<string, string>;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  input?: string | Buffer;
  now?: () => number;
}

export function memoryTerminal({
  env = {},
  isTTY = false,
  columns = 100,
  rows = 24,
  input,
  now,
}: TerminalOptions = {}): MemoryTerminal {
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => {} });
  const [stdout, out] = recorder(isTTY, columns, rows);
  const [stderr, err] = recorder(isTTY, columns, rows);
  const closed = new AbortController();
  const listeners = new Set<() => void>();
  if (input !== undefined) stdin.end(input);
  const terminal: Terminal = {
    stdin,
    stdout,
    stderr,
    env,
    outputClosed: closed.signal,
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onTerminate: () => () => {},
    now: now ?? (() => performance.now()),
  };
  const interrupt = () => {
    for (const listener of [...listeners]) listener();
  };
  return { terminal, stdin, out, err, interrupt, closeOutput: () => closed.abort() };
}

/** Runs a whole command line against the library. */
export async function cli(argv: string[], library: Library, options: TerminalOptions = {}) {
  const memory = memoryTerminal(options);
  const exitCode = await runProgram(argv, { terminal: memory.terminal, library });
  return { exitCode, out: memory.out(), err: memory.err() };
}

/** Waits until `condition` is true. Otherwise the time limit of the test fails it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

function recorder(
  isTTY: boolean,
  columns: number,
  rows: number,
): [PassThrough & { isTTY: boolean; columns: number; rows: number }, () => string] {
  const stream = Object.assign(new PassThrough(), { isTTY, columns, rows });
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  return [stream, () => text];
}
