/** First come, first served within a client; between clients, each has its turn. */
export class FairQueue<T> {
  /** In the order of their turns. */
  readonly #clients = new Map<string, T[]>();

  get size(): number {
    let size = 0;
    for (const waiting of this.#clients.values()) size += waiting.length;
    return size;
  }

  push(client: string, item: T): void {
    const waiting = this.#clients.get(client);
    if (waiting) waiting.push(item);
    else this.#clients.set(client, [item]);
  }

  /** Whose turn it is. */
  first(): T | undefined {
    for (const [item] of this.#clients.values()) return item;
    return undefined;
  }

  /** Takes the first out; its client's turn comes again after everyone else's. */
  shift(): T | undefined {
    for (const [client, waiting] of this.#clients) {
      const item = waiting.shift();
      this.#clients.delete(client);
      if (waiting.length > 0) this.#clients.set(client, waiting);
      return item;
    }
    return undefined;
  }

  /** Takes one out wherever it stands; the turns of the others stay as they are. */
  remove(item: T): void {
    for (const [client, waiting] of this.#clients) {
      const index = waiting.indexOf(item);
      if (index < 0) continue;
      waiting.splice(index, 1);
      if (waiting.length === 0) this.#clients.delete(client);
      return;
    }
  }
}
