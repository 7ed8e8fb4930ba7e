import { CogVLM2Error } from '../errors.ts';
import type { AnswerGrammar } from './answer-grammar.ts';
import type { Expression } from './expression.ts';
import { Machine, type MachineState } from './machine.ts';
import { type TokenTrie, tokenTrie, type Vocabulary } from './token-trie.ts';

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
   * A mask that makes one answer follow `grammar`.
   * @param begun text that the answer begins with, before the first token
   * @throws CogVLM2Error `invalid_json_schema` when no answer is possible, `invalid_value` when no answer begins with `begun`; the
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

  /** @throws CogVLM2Error `invalid_value` when no answer begins with the text. */
  begin(text: string): void {
    let state: MachineState | null = this.#state;
    for (const byte of Buffer.from(text)) state = state && this.#machine.step(state, byte);
    if (state === null) {
      throw new CogVLM2Error(
        'invalid_value',
        `The answer must begin with ${JSON.stringify(text.slice(0, 80))}, which its format does not allow.`,
      );
    }
    this.#state = state;
  }

  accept(id: number): void {
    let state: MachineState | null = this.#state;
    for (const byte of this.#vocabulary.bytesOf(id)) state = state && this.#machine.step(state, byte);
    if (state === null || this.#vocabulary.isSpecial(id))
      throw new Error(`Token ${id} was sampled, but the mask forbids it.`);
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
        'The vocabulary of this model has no token that the schema allows next.',
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

/** Sets the bits of the allowed tokens; yields between slices. */
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

/** Makes one answer follow a format while it is sampled. Each sequence has its own mask. */
export interface TokenMask {
  /** Computes the allowed next tokens, in slices between which other work runs. @throws the signal's reason */
  prepare(signal?: AbortSignal): Promise<void>;
  /** Sets the logits of all forbidden tokens to -Infinity, in place. Call `prepare` first. */
  apply(logits: Float32Array): void;
  /** Advances by the sampled token. */
  accept(id: number): void;
  /** The answer is complete: only its end may follow. */
  readonly done: boolean;
}
