import koffi from 'koffi';
import type { Pointer } from './declarations.ts';
import { systemLibrary } from './system-library.ts';

/**
 * What ggml asks after each operation of a graph: whether to give up. It asks on a thread where no JavaScript may run,
 * so the answer is a native function's, `strlen` of memory of ours: nothing until a byte is written there.
 */
export class StopFlag {
  /** `bool (*)(void *memory)` */
  readonly predicate: Pointer = koffi.address(systemLibrary().symbol('strlen'));
  /** Its own ArrayBuffer, which the garbage collector does not move. */
  readonly memory = new Uint8Array(new ArrayBuffer(64));

  /** Raised as soon as `signal` is aborted, until the scope's end. */
  follow(signal: AbortSignal | undefined): Disposable {
    const raise = () => {
      this.memory[0] = 1;
    };
    signal?.addEventListener('abort', raise);
    return {
      [Symbol.dispose]: () => {
        signal?.removeEventListener('abort', raise);
        this.memory[0] = 0;
      },
    };
  }
}
