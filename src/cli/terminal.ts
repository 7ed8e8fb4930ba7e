/**
 * The person's side of a command: the three streams, the environment, Ctrl-C, and the clock. Commands get it handed
 * in, so tests run them on streams in memory.
 */
import type { Readable, Writable } from 'node:stream';

export type OutputStream = Writable & { isTTY?: boolean; columns?: number; rows?: number };
export type InputStream = Readable & { isTTY?: boolean };

export interface Terminal {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when nobody reads standard output any more (`| head`), or when writing to it failed. */
  readonly outputClosed: AbortSignal;
  /** Calls `listener` at each Ctrl-C until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
  /** The same for SIGTERM, with which services are ended. */
  onTerminate(listener: () => void): () => void;
  /** Milliseconds, rising. */
  now(): number;
}

/** The terminal of this process; `outputClosed` is aborted by main, which owns the process's streams. */
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

/**
 * A signal that the first Ctrl-C aborts, and the end of the output too. The listener goes with the first, so a second
 * Ctrl-C finds none and ends the process at once.
 */
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
