/** Starts the engine's process, and returns the server's end of the channel. */
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FromEngine, Port, ToEngine } from './protocol.ts';

export interface EngineProcess extends Port<ToEngine, FromEngine> {
  kill(): void;
}

/** Reasons of signals that end the engine. */
const REASONS: Partial<Record<NodeJS.Signals, string>> = {
  SIGBUS:
    'it got SIGBUS (invalid_checkpoint): a file of the model became shorter, or could not be read, while it was in use',
  SIGKILL: 'it got SIGKILL: the system may have run out of memory',
};

export function startEngineProcess(): EngineProcess {
  // .ts when run from the sources, .js when built.
  const file = fileURLToPath(new URL(`./child${path.extname(import.meta.url)}`, import.meta.url));
  const child = fork(file, [], {
    serialization: 'advanced',
    // Output of native code goes to standard error.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  // The channel broke during a send. The event `exit` has the reason.
  child.on('error', () => {});
  return {
    send(message) {
      if (child.connected) child.send(message, () => {});
    },
    onMessage: (listener) => child.on('message', (message) => listener(message as FromEngine)),
    onClose(listener) {
      child.on('exit', (code, signal) =>
        listener(signal === null ? `it exited with ${code}` : (REASONS[signal] ?? `it got ${signal}`)),
      );
    },
    kill: () => child.kill('SIGKILL'),
  };
}
