import { CogVLM2Error } from '../errors.ts';
import type { AnswerGrammar } from './answer-grammar.ts';
import type { Expression } from './expression.ts';
import { Machine, type MachineState } from './machine.ts';

/** Makes masks for the vocabulary of one model. The trie of the vocabulary is built for the first mask. */
export class GrammarMasks {
  readonly #vocabulary: Vocabulary;
  readonly #vocabSize: number;
  readonly #eosIds: readonly number[];
  /** A grammar's machine, with its states and masks, lives as long as the grammar. */
  readonly #machines = new WeakMap<Expression, Machine>();
  #trie: Promise<TokenTrie> | null = null;

  /** @param vocabSize length of the logits, which may be more than the vocabulary has tokens. */
  constructor(vocabulary: Vocabulary, vocabSize: number, eosIds: readonly number[]) {
    this.#vocabulary = vocabulary;
    this.#vocabSize = vocabSize;
    this.#eosIds = eosIds;
  }

  /**
   * A mask that holds one answer to `grammar`.
   * @param begun text that the answer begins with, before the first token
   * @throws CogVLM2Error `invalid_json_schema` when no answer is possible, `invalid_value` when none begins so; the
   * signal's reason.
   */
  async start({ expression: grammar }: AnswerGrammar, begun = '', signal?: AbortSignal): Promise<TokenMask> {
    this.#trie ??= tokenTrie(this.#vocabulary);
    const trie = await this.#trie;
    const machine = this.#machines.get(grammar) ?? new Machine(grammar);
    this.#machines.set(grammar, machine);
    const mask = new GrammarMask(machine, trie, this.#vocabulary, this.#eosIds, this.#vocabSize);
    mask.begin(begun);
    await mask.prepare(signal);
    return mask;
  }
}

class GrammarMask implements TokenMask {
  readonly #machine: Machine;
  readonly #trie: TokenTrie;
  readonly #vocabulary: Vocabulary;
  readonly #eosIds: readonly number[];
  readonly #words: number;
  #state: MachineState;
  #bits: Int32Array = new Int32Array(0);

  constructor(
    machine: Machine,
    trie: TokenTrie,
    vocabulary: Vocabulary,
    eosIds: readonly number[],
    vocabSize: number,
  ) {
    this.#machine = machine;
    this.#trie = trie;
    this.#vocabulary = vocabulary;
    this.#eosIds = eosIds;
    this.#words = Math.ceil(vocabSize / 32);
    this.#state = machine.start;
  }

  get done(): boolean {
    return this.#state.accepts && this.#state.edges.length === 0;
  }

  /** @throws CogVLM2Error `invalid_value` when no answer begins so. */
  begin(text: string): void {
    let state: MachineState | null = this.#state;
    for (const byte of Buffer.from(text)) state = state && this.#machine.step(state, byte);
    if (state === null) {
      throw new CogVLM2Error(
        'invalid_value',
        `The answer is to begin with ${JSON.stringify(text.slice(0, 80))}, which its format does not allow.`,
      );
    }
    this.#state = state;
  }

  accept(id: number): void {
    let state: MachineState | null = this.#state;
    for (const byte of this.#vocabulary.bytesOf(id)) state = state && this.#machine.step(state, byte);
    if (state === null || this.#vocabulary.isSpecial(id))
      throw new Error(`The mask was given token ${id}, which it forbids.`);
    this.#state = state;
  }

  async prepare(signal?: AbortSignal): Promise<void> {
    if (this.done) {
      this.#bits = new Int32Array(this.#words);
      return;
    }
    const state = this.#machine.near(this.#state, this.#trie.longest + 1);
    if (state.mask === undefined) {
      const bits = new Int32Array(this.#words);
      for (const _ of walk(this.#machine, state, this.#trie, bits)) {
        // Lets other work run. An aborted request needs no mask.
        await new Promise(setImmediate);
        signal?.throwIfAborted();
      }
      for (const id of this.#eosIds) bits[id >> 5]! &= ~(1 << (id & 31));
      state.mask = bits;
    }
    if (!state.accepts && state.mask.every((word) => word === 0)) {
      throw new CogVLM2Error(
        'invalid_json_schema',
        'The vocabulary of this model has no token for what the schema asks for next.',
      );
    }
    this.#bits = state.mask;
  }

  apply(logits: Float32Array): void {
    const ends = this.#state.accepts ? this.#eosIds.map((id) => [id, logits[id]!] as const) : [];
    for (const [word, bits] of this.#bits.entries()) {
      if (bits === -1) continue;
      const end = Math.min(logits.length, (word + 1) * 32);
      for (let id = word * 32; id < end; id++) {
        if (((bits >>> (id & 31)) & 1) === 0) logits[id] = Number.NEGATIVE_INFINITY;
      }
    }
    for (const [id, logit] of ends) logits[id] = logit;
  }
}

/** Work between two turns of the event loop: some milliseconds. */
const workPerSlice = 100_000;

/** Sets the bits of the tokens that may come; yields between slices. */
function* walk(
  machine: Machine,
  start: MachineState,
  trie: TokenTrie,
  bits: Int32Array,
): Generator<undefined, void> {
  const { byte, depth, end, token, twins, size } = trie;
  const path = [start];
  let [work, worked] = [0, machine.work];
  let node = 0;
  while (node < size) {
    const at = depth[node]!;
    const state = machine.step(path[at]!, byte[node]!);
    // Making a state costs much more than reaching an existing one.
    if (++work + 20 * (machine.work - worked) > workPerSlice) {
      [work, worked] = [0, machine.work];
      yield;
    }
    if (state === null) {
      node = end[node]!;
      continue;
    }
    path[at + 1] = state;
    const id = token[node]!;
    if (id >= 0) {
      bits[id >> 5]! |= 1 << (id & 31);
      for (const twin of twins.get(id) ?? []) bits[twin >> 5]! |= 1 << (twin & 31);
    }
    node++;
  }
}

/** Holds one answer to a format while it is sampled. Each sequence has its own. */
export interface TokenMask {
  /** Computes which tokens may come next, in slices between which other work goes on. @throws the signal's reason */
  prepare(signal?: AbortSignal): Promise<void>;
  /** Sets the logits of all tokens that may not come next to -Infinity, in place. Needs a `prepare` before it. */
  apply(logits: Float32Array): void;
  /** Moves on by the token that was drawn. */
  accept(id: number): void;
  /** The answer is complete: nothing but its end may follow. */
  readonly done: boolean;
}

/**
 * The tokens of a vocabulary as a trie of bytes in flat arrays, in depth-first order. When a byte may not come, a walk skips
 * the whole subtree.
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

/** Builds the trie in slices, between which other work goes on. Special tokens are left out. */
async function tokenTrie(vocabulary: Vocabulary): Promise<TokenTrie> {
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
