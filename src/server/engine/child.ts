/**
 * The process of the engine. It has the model but no network connections, so a crash of native code or a lack of memory does not close
 * connections. It ends with its parent, and ignores signals that the parent handles.
 */
import { hostEngine } from './host.ts';
import type { FromEngine, ToEngine } from './protocol.ts';

process.title = 'cogvlm2 engine';
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// SIGKILL: an orderly exit would wait for the graph that runs in native code.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

hostEngine(
  {
    send(message: FromEngine) {
      if (process.connected) process.send?.(message);
    },
    onMessage: (listener) => process.on('message', (message) => listener(message as ToEngine)),
    onClose: () => {},
  },
  async (options) => (await import('../../generate/cogvlm2.ts')).CogVLM2.load(options),
);
