/**
 * The process that a person starts with `cogvlm2 serve`. It runs the server as a child process and starts it again
 * when it crashes: the child parses what clients send, in JavaScript and in native image decoders. This process reads
 * nothing of it. It forwards signals, passes the exit status on, and takes its child with it when it ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { pauseBeforeRestart } from './engine/engine.ts';

const MARK = 'COGVLM2_SUPERVISOR';
/** A server that ends sooner after the first start is not started again: it cannot run here. */
const MIN_UPTIME_MS = 5_000;
/** After so long without a crash, the next one counts as the first. */
const STABLE_MS = 60_000;
/** The exit status of Node.js after an error that nobody caught. */
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
  /** Kept over restarts, also where `--port 0` chose any. */
  let port: number | undefined;
  let crashes = 0;
  for (;;) {
    const startedAt = performance.now();
    child = fork(program, port === undefined ? args : [...args, '--port', String(port)], {
      env: { ...process.env, [MARK]: String(process.pid) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A process group of its own: Ctrl-C reaches it once, through this process.
      detached: process.platform !== 'win32',
    });
    child.on('error', () => {});
    child.on('message', (message) => {
      if (isListening(message)) port = message.port;
    });
    const { code, signal } = await ended(child);
    // A server that has served before also comes back from a failed start: its port may be taken for a moment.
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

/** Tells the supervisor the port, and ends this process with it. Does nothing where there is no supervisor. */
export function reportListening(url: string): void {
  if (!isSupervised() || process.send === undefined) return;
  process.send({ port: Number(new URL(url).port) });
}

/** Called at the start of a supervised process: it ends with its supervisor, whatever ended that. */
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
