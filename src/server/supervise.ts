/**
 * The process of `cogvlm2 serve`. It runs the server as a child process, and restarts it after a crash. The child parses the input of
 * clients in JavaScript and in native image decoders, but this process does not read it. It forwards signals, returns the exit status of
 * its child, and ends its child when it ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { pauseBeforeRestart } from './engine/engine.ts';

const MARK = 'COGVLM2_SUPERVISOR';
/** A server that ends within this time after the first start is not restarted, because it cannot run here. */
const MIN_UPTIME_MS = 5_000;
/** After this time without a crash, the next crash counts as the first. */
const STABLE_MS = 60_000;
/** The exit status of Node.js after an uncaught error. */
const UNCAUGHT = 1;

export interface SuperviseOptions {
  /** The program and its arguments, as in `process.argv.slice(1)`. */
  argv: readonly string[];
  minUptimeMs?: number;
}

/** @returns the exit status of the server; ends this process by a signal if one ended the server. */
export async function supervise({ argv, minUptimeMs = MIN_UPTIME_MS }: SuperviseOptions): Promise<number> {
  const [program = '', ...args] = argv;
  let child: ChildProcess | undefined;
  let isStopping = false;
  let wake = () => {};
  const forward = (signal: NodeJS.Signals) => {
    isStopping = true;
    wake();
    child?.kill(signal);
  };
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  /** The port, which is the same after restarts, also with `--port 0`. */
  let port: number | undefined;
  let crashes = 0;
  for (;;) {
    const startedAt = performance.now();
    child = fork(program, port === undefined ? args : [...args, '--port', String(port)], {
      env: { ...process.env, [MARK]: String(process.pid) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Its own process group, so that it gets Ctrl-C only once, from this process.
      detached: process.platform !== 'win32',
    });
    child.on('error', () => {});
    child.on('message', (message) => {
      if (isListening(message)) port = message.port;
    });
    const { code, signal } = await ended(child);
    // A server that was running before is restarted also after a failed start, because its port may be in use for a moment.
    const isCrash = signal !== null || code === UNCAUGHT || (port !== undefined && code !== 0);
    const uptimeMs = performance.now() - startedAt;
    if (isStopping || !isCrash || (port === undefined && uptimeMs < minUptimeMs)) {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      if (signal !== null) process.kill(process.pid, signal);
      return code ?? UNCAUGHT;
    }
    if (uptimeMs > STABLE_MS) crashes = 0;
    const pauseMs = pauseBeforeRestart(crashes++);
    log(signal === null ? `it exited with ${code}` : `it got ${signal}`, pauseMs);
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, pauseMs);
    });
    if (isStopping) return 0;
  }
}

/** Whether this process is the child of one that supervises it. */
export function isSupervised(): boolean {
  return process.env[MARK] !== undefined;
}

/** Reports the port to the supervisor. Does nothing without a supervisor. */
export function reportListening(url: string): void {
  if (!isSupervised() || process.send === undefined) return;
  process.send({ port: Number(new URL(url).port) });
}

/** Called at the start of a supervised process. It makes the process end with its supervisor. */
export function endWithSupervisor(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // The channel alone does not keep this process running.
  process.channel?.unref();
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}

function isListening(message: unknown): message is { port: number } {
  return (
    typeof message === 'object' && message !== null && 'port' in message && typeof message.port === 'number'
  );
}

/** One line in the format of the server's log. */
function log(why: string, pauseMs: number): void {
  const line = { level: 50, time: Date.now(), why, pauseMs, msg: 'the server ended; it is started again' };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}
