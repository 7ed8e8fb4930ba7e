/**
 * Follows a grammar byte by byte. What is still to be written is a stack of expressions; where a text can be read in
 * several ways, there are several. A `State` is such a set of stacks, and leads by each byte to another or to none; both
 * are made when they are first met and kept, so that going on mostly is one look into a table. Nothing is compiled.
 */
import type { Expression } from './expression.ts';

/** An expression, from its part `at` on, and what comes behind it. */
interface Frame {
  readonly id: number;
  readonly expression: Expression | null;
  readonly at: number;
  readonly below: Frame | null;
  /** Frames on top of this one, by their expressions and parts: equal stacks are one. */
  above: Map<Expression, Frame[]> | null;
  /** Of `above`. */
  generation: number;
}

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly target: Frame;
}

export interface State {
  /** The text may end here. */
  readonly accepts: boolean;
  readonly edges: readonly Edge[];
  readonly frames: readonly Frame[];
  /** What each byte leads to; null is nowhere, undefined is not known yet. */
  readonly next: (State | null | undefined)[];
  /** One bit for each token that may come, the lowest first; kept by who worked it out. */
  mask?: Int32Array;
}

/** Ways to read a text that are followed. Of more, those found first: a grammar may become narrower, never wider. */
const mostWays = 256;
/** Parts of states that are kept, about 100 bytes each; then all are forgotten but those in use. */
const mostParts = 200_000;
/** Of each state: its table, and often a mask. */
const partsOfTable = 100;
/** How much of a stack is looked at to find a simpler one. */
const deepest = 64;

export class Machine {
  readonly #grammar: Expression;
  readonly #bottom: Frame;
  readonly #states = new Map<string, State>();
  /** Not kept when all are forgotten: it leads to all. */
  #start: State | null = null;
  #frames = 0;
  #generation = 0;
  #parts = 0;
  #work = 0;

  constructor(grammar: Expression) {
    this.#grammar = grammar;
    this.#bottom = { id: 0, expression: null, at: 0, below: null, above: null, generation: 0 };
  }

  get start(): State {
    if (this.#start !== null) return this.#start;
    const start = this.#state([this.#frame(this.#grammar, 0, this.#bottom)]);
    this.#start = start ?? { accepts: false, edges: [], frames: [], next: [] };
    return this.#start;
  }

  /** What was done so far, in steps of some tens of nanoseconds. */
  get work(): number {
    return this.#work;
  }

  /** What the state becomes by one more byte; null when it may not come. */
  step(state: State, byte: number): State | null {
    const known = state.next[byte];
    return known === undefined ? this.#stepAnew(state, byte) : known;
  }

  /** Whether a text is a whole text of the grammar. */
  accepts(text: Uint8Array): boolean {
    let state: State | null = this.start;
    for (const byte of text) state = state && this.step(state, byte);
    return state?.accepts ?? false;
  }

  /** A state that allows the same `bytes` bytes, as the limits that are further away are left out. */
  near(state: State, bytes: number): State {
    return this.#state(state.frames.map((frame) => this.#nearFrame(frame, bytes))) ?? state;
  }

  #stepAnew(state: State, byte: number): State | null {
    let [from, to] = [0, 255];
    const targets: Frame[] = [];
    for (const edge of state.edges) {
      if (byte < edge.from) to = Math.min(to, edge.from - 1);
      else if (byte > edge.to) from = Math.max(from, edge.to + 1);
      else {
        from = Math.max(from, edge.from);
        to = Math.min(to, edge.to);
        targets.push(edge.target);
      }
    }
    this.#work += state.edges.length;
    const next = targets.length === 0 ? null : this.#state(targets);
    state.next.fill(next, from, to + 1);
    return next;
  }

  #state(targets: readonly Frame[]): State | null {
    const frames = [...new Set(targets)].slice(0, mostWays).sort((a, b) => a.id - b.id);
    const key = frames.map(({ id }) => id).join(' ');
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const { accepts, edges } = this.#open(frames);
    if (!accepts && edges.length === 0) return null;
    this.#parts += partsOfTable + frames.length + edges.length;
    if (this.#parts > mostParts) {
      this.#states.clear();
      this.#start = null;
      this.#generation++;
      this.#parts = 0;
    }
    const state = { accepts, edges, frames, next: new Array<undefined>(256) };
    this.#states.set(key, state);
    return state;
  }

  /** What can come next: the expressions on top, taken apart until each begins with a byte. */
  #open(frames: readonly Frame[]): Pick<State, 'accepts' | 'edges'> {
    const edges: Edge[] = [];
    let accepts = false;
    const opened = new Set(frames);
    for (const { expression, at, below } of opened) {
      if (expression === null || below === null) {
        accepts = true;
        continue;
      }
      switch (expression.type) {
        case 'bytes': {
          const byte = expression.bytes[at]!;
          const isLast = at + 1 === expression.bytes.length;
          const target = isLast ? below : this.#frame(expression, at + 1, below);
          edges.push({ from: byte, to: byte, target });
          break;
        }
        case 'byte':
          edges.push({ from: expression.from, to: expression.to, target: below });
          break;
        case 'sequence': {
          const part = expression.parts[at];
          if (part === undefined) opened.add(below);
          else opened.add(this.#frame(part, 0, this.#rest(expression.parts, at + 1, expression, below)));
          break;
        }
        case 'choice':
          for (const choice of expression.choices) opened.add(this.#frame(choice, 0, below));
          break;
        case 'deferred':
          opened.add(this.#frame(expression.expression, 0, below));
      }
    }
    this.#work += opened.size + edges.length;
    return { accepts, edges };
  }

  /** What is last leaves nothing behind it on the stack: what goes on into itself does not grow. */
  #rest(parts: readonly Expression[], at: number, whole: Expression, below: Frame): Frame {
    const part = parts[at];
    if (part === undefined) return below;
    return at + 1 === parts.length ? this.#frame(part, 0, below) : this.#frame(whole, at, below);
  }

  #frame(expression: Expression, at: number, below: Frame): Frame {
    if (below.above === null || below.generation !== this.#generation) {
      below.above = new Map();
      below.generation = this.#generation;
    }
    const parts = below.above.get(expression) ?? [];
    if (parts.length === 0) below.above.set(expression, parts);
    parts[at] ??= {
      id: ++this.#frames,
      expression,
      at,
      below,
      above: null,
      generation: this.#generation,
    };
    return parts[at];
  }

  #nearFrame(frame: Frame, bytes: number): Frame {
    const chain: Frame[] = [];
    let below = frame;
    while (below.below !== null && chain.length < deepest) {
      chain.push(below);
      below = below.below;
    }
    return chain.reduceRight((rest, { expression, at }) => {
      if (expression === null) return rest;
      return this.#frame(expression.type === 'deferred' ? expression.near(bytes) : expression, at, rest);
    }, below);
  }
}
