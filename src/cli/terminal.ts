/** The process as a command sees it: streams, environment, signals and clock. Tests pass streams in memory. */
import type { Readable, Writable } from 'node:stream';
import * as yoctocolors from 'yoctocolors';

export type OutputStream = Writable & { isTTY?: boolean; columns?: number; rows?: number };
export type InputStream = Readable & { isTTY?: boolean };

export interface Terminal {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the reader of standard output is gone (`| head`), or when writing to it failed. */
  readonly outputClosed: AbortSignal;
  /** Calls `listener` on each Ctrl-C until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
  /** The same for SIGTERM. */
  onTerminate(listener: () => void): () => void;
  /** Monotonic, in milliseconds. */
  now(): number;
}

/** The terminal of this process. main.ts aborts `outputClosed`. */
export function processTerminal(outputClosed: AbortSignal): Terminal {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    outputClosed,
    onInterrupt: (listener) => onSignal('SIGINT', listener),
    onTerminate: (listener) => onSignal('SIGTERM', listener),
    now: () => performance.now(),
  };
}

function onSignal(name: NodeJS.Signals, listener: () => void): () => void {
  process.on(name, listener);
  return () => process.off(name, listener);
}

/** A signal that the first Ctrl-C or the end of the output aborts. A second Ctrl-C has no listener and ends the process. */
export function stopOnInterrupt(terminal: Terminal): { signal: AbortSignal } & Disposable {
  const interrupted = new AbortController();
  const forget = terminal.onInterrupt(() => {
    forget();
    interrupted.abort();
  });
  return {
    signal: AbortSignal.any([interrupted.signal, terminal.outputClosed]),
    [Symbol.dispose]: forget,
  };
}

// Colours for a stream: only on a terminal, and never when NO_COLOR is set (https://no-color.org).

export interface Colors {
  bold(text: string): string;
  dim(text: string): string;
  cyan(text: string): string;
  red(text: string): string;
}

const plain = (text: string) => text;

export function colorsFor(stream: OutputStream, env: Terminal['env']): Colors {
  if (stream.isTTY !== true || env.NO_COLOR) return { bold: plain, dim: plain, cyan: plain, red: plain };
  return yoctocolors;
}
