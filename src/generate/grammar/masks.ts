import { CogVLM2Error } from '../../errors.ts';
import { tokenOfBytes } from '../../text/byte-level.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { TokenMask } from '../token-mask.ts';
import {
  abandonXGrammar,
  type CompiledGrammar,
  type GrammarMatcher,
  loadXGrammar,
  type TokenizerInfo,
  type XGrammar,
} from './xgrammar.ts';

/** Grammars kept compiled; the least recently used one goes. */
const mostCompiled = 32;

/** A vocabulary, prepared once for all grammars. */
interface Prepared {
  library: XGrammar;
  info: TokenizerInfo;
  compiled: Map<string, CompiledGrammar>;
}

/** Makes masks for the vocabulary of one model. Nothing is loaded before the first is asked for. */
export class GrammarMasks {
  readonly #tokenizer: Tokenizer;
  readonly #vocabSize: number;
  readonly #eosIds: readonly number[];
  #prepared: Promise<Prepared> | null = null;

  /** @param vocabSize length of the logits, which may be more than the tokenizer has tokens. */
  constructor(tokenizer: Tokenizer, vocabSize: number, eosIds: readonly number[]) {
    this.#tokenizer = tokenizer;
    this.#vocabSize = vocabSize;
    this.#eosIds = eosIds;
  }

  /**
   * A mask that holds one answer to `grammar`.
   * @param grammar EBNF with the rule "root", as `answerGrammar` writes it.
   * @throws CogVLM2Error `invalid_json_schema` when it cannot be compiled.
   */
  async start(grammar: string): Promise<TokenMask> {
    this.#prepared ??= this.#prepare();
    const { library, info, compiled } = await this.#prepared;
    let matcher: GrammarMatcher;
    try {
      let form = compiled.get(grammar);
      if (form === undefined) {
        const compiler = await library.GrammarCompiler.createGrammarCompiler(info, false);
        form = await compiler.compileGrammar(grammar);
        compiler.dispose();
      }
      remember(compiled, grammar, form);
      matcher = await library.GrammarMatcher.createGrammarMatcher(form);
    } catch (cause) {
      // It has aborted, and its memory cannot be trusted any more.
      this.#prepared = null;
      abandonXGrammar(library);
      const reason = library.lastWords() || (cause instanceof Error ? cause.message : String(cause));
      throw new CogVLM2Error('invalid_json_schema', `The schema cannot be compiled: ${reason}`, { cause });
    }
    const mask = new GrammarMask(matcher, this.#eosIds);
    await mask.look();
    return mask;
  }

  /** Frees the vocabulary and the grammars; masks that are in use stay good. */
  [Symbol.dispose](): void {
    const prepared = this.#prepared;
    this.#prepared = null;
    prepared?.then(
      ({ info, compiled }) => {
        for (const form of compiled.values()) form.dispose();
        info.dispose();
      },
      () => {},
    );
  }

  async #prepare(): Promise<Prepared> {
    const library = loadXGrammar();
    // To the library an empty token is a special one, which it never allows.
    const tokens = Array.from({ length: this.#tokenizer.vocabSize }, (_, id) => {
      const bytes = this.#tokenizer.bytesOf(id);
      return this.#tokenizer.isSpecial(id) || bytes.includes(0xff) ? '' : tokenOfBytes(bytes);
    });
    const info = await library.TokenizerInfo.createTokenizerInfo(
      tokens,
      'byte_level',
      false,
      this.#vocabSize,
      [...this.#eosIds],
    );
    return { library, info, compiled: new Map() };
  }
}

function remember(compiled: Map<string, CompiledGrammar>, grammar: string, form: CompiledGrammar): void {
  compiled.delete(grammar);
  compiled.set(grammar, form);
  if (compiled.size <= mostCompiled) return;
  const [oldest] = compiled;
  compiled.delete(oldest![0]);
  oldest![1].dispose();
}

class GrammarMask implements TokenMask {
  readonly #matcher: GrammarMatcher;
  readonly #eosIds: readonly number[];
  /** One bit for each token, the lowest first. */
  #bits: Int32Array = new Int32Array(0);
  done = false;

  constructor(matcher: GrammarMatcher, eosIds: readonly number[]) {
    this.#matcher = matcher;
    this.#eosIds = eosIds;
  }

  apply(logits: Float32Array): void {
    for (const [word, bits] of this.#bits.entries()) {
      if (bits === -1) continue;
      const end = Math.min(logits.length, (word + 1) * 32);
      for (let id = word * 32; id < end; id++) {
        if (((bits >>> (id & 31)) & 1) === 0) logits[id] = Number.NEGATIVE_INFINITY;
      }
    }
  }

  async accept(id: number): Promise<void> {
    if (!this.#matcher.acceptToken(id)) throw new Error(`The mask was given token ${id}, which it forbids.`);
    await this.look();
  }

  /** Asks what may come next. */
  async look(): Promise<void> {
    this.#bits = await this.#matcher.getNextTokenBitmask();
    const others = this.#bits.slice();
    for (const id of this.#eosIds) others[id >> 5]! &= ~(1 << (id & 31));
    if (others.some((word) => word !== 0)) return;
    this.done = this.#bits.some((word) => word !== 0);
    if (this.done) return;
    throw new CogVLM2Error(
      'invalid_json_schema',
      'The vocabulary of this model has no token for what the schema asks for next.',
    );
  }

  [Symbol.dispose](): void {
    this.#matcher.dispose();
  }
}
