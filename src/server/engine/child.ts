/**
 * The engine's process. It holds the model and nothing of the network, so that what can crash (native code, a full
 * memory) takes no connection with it. It ends with its parent, and leaves signals to it.
 */
import { hostEngine } from './host.ts';
import type { FromEngine, ToEngine } from './protocol.ts';

process.title = 'cogvlm2 engine';
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// At once: a graph may be running in native code, which an orderly exit would wait for.
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
