import { CogVLM2Error } from '../../errors.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { TokenMask } from '../token-mask.ts';
import type { Expression } from './expression.ts';
import { Machine, type State } from './machine.ts';
import { type TokenTrie, tokenTrie } from './token-trie.ts';

/** Makes masks for the vocabulary of one model, which is looked at when the first is asked for. */
export class GrammarMasks {
  readonly #tokenizer: Tokenizer;
  readonly #vocabSize: number;
  readonly #eosIds: readonly number[];
  /** What was found out about a grammar lives as long as it does. */
  readonly #machines = new WeakMap<Expression, Machine>();
  #trie: Promise<TokenTrie> | null = null;

  /** @param vocabSize length of the logits, which may be more than the tokenizer has tokens. */
  constructor(tokenizer: Tokenizer, vocabSize: number, eosIds: readonly number[]) {
    this.#tokenizer = tokenizer;
    this.#vocabSize = vocabSize;
    this.#eosIds = eosIds;
  }

  /**
   * A mask that holds one answer to `grammar`.
   * @throws CogVLM2Error `invalid_json_schema` when no answer is possible; the signal's reason.
   */
  async start(grammar: Expression, signal?: AbortSignal): Promise<TokenMask> {
    this.#trie ??= tokenTrie(this.#tokenizer);
    const trie = await this.#trie;
    const machine = this.#machines.get(grammar) ?? new Machine(grammar);
    this.#machines.set(grammar, machine);
    const mask = new GrammarMask(machine, trie, this.#tokenizer, this.#eosIds, this.#vocabSize);
    await mask.look(signal);
    return mask;
  }
}

class GrammarMask implements TokenMask {
  readonly #machine: Machine;
  readonly #trie: TokenTrie;
  readonly #tokenizer: Tokenizer;
  readonly #eosIds: readonly number[];
  readonly #words: number;
  #state: State;
  #bits: Int32Array = new Int32Array(0);

  constructor(
    machine: Machine,
    trie: TokenTrie,
    tokenizer: Tokenizer,
    eosIds: readonly number[],
    vocabSize: number,
  ) {
    this.#machine = machine;
    this.#trie = trie;
    this.#tokenizer = tokenizer;
    this.#eosIds = eosIds;
    this.#words = Math.ceil(vocabSize / 32);
    this.#state = machine.start;
  }

  get done(): boolean {
    return this.#state.accepts && this.#state.edges.length === 0;
  }

  accept(id: number): void {
    let state: State | null = this.#state;
    for (const byte of this.#tokenizer.bytesOf(id)) state = state && this.#machine.step(state, byte);
    if (state === null || this.#tokenizer.isSpecial(id))
      throw new Error(`The mask was given token ${id}, which it forbids.`);
    this.#state = state;
  }

  async look(signal?: AbortSignal): Promise<void> {
    if (this.done) {
      this.#bits = new Int32Array(this.#words);
      return;
    }
    const state = this.#machine.near(this.#state, this.#trie.longest + 1);
    if (state.mask === undefined) {
      const bits = new Int32Array(this.#words);
      for (const _ of walk(this.#machine, state, this.#trie, bits)) {
        // Others have their turn; and who has left needs no mask.
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

/** Work between two looks at what else there is to do: some milliseconds. */
const atOnce = 100_000;

/** Sets the bits of the tokens that may come; yields in between. */
function* walk(
  machine: Machine,
  start: State,
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
    // To make a state takes much more than to go to one that is there.
    if (++work + 20 * (machine.work - worked) > atOnce) {
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
