/** Runs jobs in a child process, and returns the result of each, also a crash, a hang, or too much memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Job {
  kind: 'checkpoint' | 'rows' | 'image' | 'adapter';
  path: string;
  /** True if the model is loaded for several sequences. */
  parallel: boolean;
}

export interface Outcome {
  /** `ok`, the code of an expected error, or `unexpected ...`, `crash ...`, `hang`, `memory`. */
  result: string;
  message: string;
  stack?: string | undefined;
  ms: number;
  /** The longest block of the child's event loop. */
  delayMs: number;
}

/** Limit of CPU time, so that a busy machine does not look like a hang. If it is unknown, wall-clock time counts. */
const TIMEOUT_MS = 30_000;
const CLOCK_TIMEOUT_MS = process.platform === 'linux' ? 600_000 : TIMEOUT_MS;
const MAX_RESIDENT_BYTES = 3e9;

export class Runner implements Disposable {
  #child: ChildProcess | undefined;
  #ready: Promise<unknown> = Promise.resolve();
  #stderr = '';

  async run(job: Job): Promise<Outcome> {
    const child = this.#child ?? this.#start();
    await this.#ready;
    this.#stderr = '';
    return new Promise((resolve) => {
      const startedAt = performance.now();
      const finish = (outcome: Outcome) => {
        clearTimeout(timeout);
        clearInterval(memory);
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(outcome);
      };
      const lost = (result: string) => {
        child.off('exit', onExit);
        child.kill('SIGKILL');
        this.#child = undefined;
        finish({ result, message: this.#stderr.slice(-500), ms: performance.now() - startedAt, delayMs: 0 });
      };
      const onMessage = (message: unknown) => finish(message as Outcome);
      const onExit = (code: number | null, signal: string | null) => lost(`crash ${signal ?? code}`);
      const timeout = setTimeout(() => lost('hang'), CLOCK_TIMEOUT_MS);
      const busyBefore = processorMs(child.pid);
      const memory = setInterval(() => {
        if (residentBytes(child.pid) > MAX_RESIDENT_BYTES) lost('memory');
        else if (processorMs(child.pid) - busyBefore > TIMEOUT_MS) lost('hang');
      }, 100);
      child.on('message', onMessage);
      child.once('exit', onExit);
      child.send(job);
    });
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.on('data', (chunk) => {
      this.#stderr = (this.#stderr + chunk).slice(-5_000);
    });
    this.#ready = new Promise((resolve) => child.once('message', resolve));
    this.#child = child;
    return child;
  }
}

function residentBytes(processId: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${processId}/statm`, 'utf8').split(' ')[1]) * 4_096;
  } catch {
    return 0;
  }
}

/** CPU time of a process so far (proc(5), stat: in ticks of 10 ms); 0 if unknown. */
function processorMs(processId: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${processId}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
  } catch {
    return 0;
  }
}
