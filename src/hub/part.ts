/** A stretch of a file on its way: what came of it waits in memory until all before it is on the disk. */
import type { Sink } from './sink.ts';

export class Part {
  /** Where the next byte belongs that the source has to send. */
  position: number;
  /** Behind the last one. */
  readonly end: number;
  readonly #sink: Sink;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(sink: Sink, from: number, end: number) {
    this.#sink = sink;
    this.position = from;
    this.end = end;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  take(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.position += bytes.length;
    this.flush();
  }

  /** To the disk, if it is this part's turn. @throws CogVLM2Error `write_failed` */
  flush(): void {
    if (this.#sink.position + this.#waitingBytes !== this.position) return;
    for (const bytes of this.#waiting) this.#sink.write(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** The file from its first byte, where the source sends nothing else. */
  restart(): void {
    this.#sink.restart();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.position = 0;
  }
}
