/**
 * The tokens of a vocabulary as a trie of bytes in flat arrays, in depth-first order. For a forbidden byte, a walk skips the
 * whole subtree.
 */

/** The part of a tokenizer that masks need. */
export interface Vocabulary {
  /** Highest id + 1. */
  readonly vocabSize: number;
  bytesOf(id: number): Uint8Array;
  /** Special tokens never occur in a text. */
  isSpecial(id: number): boolean;
}

export interface TokenTrie {
  readonly size: number;
  readonly byte: Uint8Array;
  /** 0 for the first bytes of tokens. */
  readonly depth: Uint16Array;
  /** The next node that is not below this one. */
  readonly end: Int32Array;
  /** The token that ends here, or -1. */
  readonly token: Int32Array;
  /** Further tokens with the same bytes as a token. */
  readonly twins: ReadonlyMap<number, readonly number[]>;
  /** Bytes of the longest token. */
  readonly longest: number;
}

/** Tokens between two turns of the event loop. */
const tokensPerSlice = 1_000;

/** Builds the trie in slices, between which other work runs. Special tokens are omitted. */
export async function tokenTrie(vocabulary: Vocabulary): Promise<TokenTrie> {
  const groups = new Map<number, [bytes: Uint8Array, id: number][]>();
  let sizeBytes = 0;
  let longest = 0;
  for (let id = 0; id < vocabulary.vocabSize; id++) {
    if (id % tokensPerSlice === 0) await new Promise(setImmediate);
    const bytes = vocabulary.isSpecial(id) ? new Uint8Array() : vocabulary.bytesOf(id);
    if (bytes.length === 0) continue;
    const start = 256 * bytes[0]! + (bytes[1] ?? 0);
    const group = groups.get(start);
    if (group === undefined) groups.set(start, [[bytes, id]]);
    else group.push([bytes, id]);
    sizeBytes += bytes.length;
    longest = Math.max(longest, bytes.length);
  }
  const nodes = new Nodes(sizeBytes);
  let waiting = 0;
  for (const start of [...groups.keys()].sort((a, b) => a - b)) {
    const group = groups.get(start)!.sort(([a], [b]) => Buffer.compare(a, b));
    for (const [bytes, id] of group) nodes.add(bytes, id);
    waiting += group.length;
    if (waiting < tokensPerSlice) continue;
    waiting = 0;
    await new Promise(setImmediate);
  }
  return nodes.finish(longest);
}

class Nodes {
  readonly #byte: Uint8Array;
  readonly #depth: Uint16Array;
  readonly #end: Int32Array;
  readonly #token: Int32Array;
  readonly #twins = new Map<number, number[]>();
  /** From the root to the last node. */
  readonly #path: number[] = [];
  #last: Uint8Array = new Uint8Array();
  #size = 0;

  constructor(most: number) {
    this.#byte = new Uint8Array(most);
    this.#depth = new Uint16Array(most);
    this.#end = new Int32Array(most);
    this.#token = new Int32Array(most).fill(-1);
  }

  /** In the order of the bytes. */
  add(bytes: Uint8Array, id: number): void {
    let shared = 0;
    while (shared < bytes.length && bytes[shared] === this.#last[shared]) shared++;
    this.#leave(shared);
    for (let at = shared; at < bytes.length; at++) {
      this.#byte[this.#size] = bytes[at]!;
      this.#depth[this.#size] = at;
      this.#path.push(this.#size++);
    }
    this.#last = bytes;
    const node = this.#path.at(-1)!;
    const twin = this.#token[node]!;
    if (twin < 0) this.#token[node] = id;
    else this.#twins.set(twin, [...(this.#twins.get(twin) ?? []), id]);
  }

  finish(longest: number): TokenTrie {
    this.#leave(0);
    const size = this.#size;
    return {
      size,
      byte: this.#byte.slice(0, size),
      depth: this.#depth.slice(0, size),
      end: this.#end.slice(0, size),
      token: this.#token.slice(0, size),
      twins: this.#twins,
      longest,
    };
  }

  #leave(depth: number): void {
    while (this.#path.length > depth) this.#end[this.#path.pop()!] = this.#size;
  }
}
