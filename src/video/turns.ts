import { throwIfAborted } from '../image/thread.ts';

/** Videos that are decoded at the same time: each takes the memory and the threads of a decoder. */
const mostAtOnce = 2;

let running = 0;
const waiting: (() => void)[] = [];

/** Waits for its turn to decode a video. Dispose it at the end. @throws CogVLM2Error `aborted` */
export async function decodingTurn(signal: AbortSignal | undefined): Promise<Disposable> {
  throwIfAborted(signal);
  if (running < mostAtOnce) running++;
  else await freeTurn(signal);
  return {
    [Symbol.dispose]() {
      const next = waiting.shift();
      if (next) next();
      else running--;
    },
  };
}

function freeTurn(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      waiting.splice(waiting.indexOf(take), 1);
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
    waiting.push(take);
    signal?.addEventListener('abort', leave, { once: true });
  });
}
