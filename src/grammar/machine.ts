/**
 * A pushdown machine that reads a text byte by byte. The rest of the text is a stack of expressions; an ambiguous beginning
 * has several stacks. A `MachineState` is a set of stacks. States and transitions are made when they are first reached and kept,
 * so a step is usually one table lookup. Nothing is compiled ahead.
 */
import type { Expression } from './expression.ts';

/** A stack: an expression from its part `at` on, and the stack below it. */
interface Frame {
  readonly id: number;
  readonly expression: Expression | null;
  readonly at: number;
  readonly below: Frame | null;
  /** Frames on top of this one, by expression and part, so that equal stacks are the same object. */
  above: Map<Expression, Frame[]> | null;
  /** Of `above`. */
  generation: number;
}

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly target: Frame;
}

export interface MachineState {
  /** Whether the text can end here. */
  readonly accepts: boolean;
  readonly edges: readonly Edge[];
  readonly frames: readonly Frame[];
  /** The next state for each byte: null for a forbidden byte, undefined if it is not known yet. */
  readonly next: (MachineState | null | undefined)[];
  /** One bit for each token, the lowest first: 1 for an allowed token. Filled by `GrammarMasks`. */
  mask?: Int32Array;
}

/** Limit of parallel stacks. Further ones are dropped: the grammar becomes narrower, never wider. */
const mostWays = 256;
/** Limit of the cached parts of states, about 100 bytes each. Beyond it the cache is cleared; states in use stay. */
const mostParts = 200_000;
/** Cost of one state: its table, and often a mask. */
const partsOfTable = 100;
/** Depth to which a stack is simplified. */
const deepest = 64;

export class Machine {
  readonly #grammar: Expression;
  readonly #bottom: Frame;
  readonly #states = new Map<string, MachineState>();
  /** Cleared with the cache, because all states can be reached from it. */
  #start: MachineState | null = null;
  #frames = 0;
  #generation = 0;
  #parts = 0;
  #work = 0;

  constructor(grammar: Expression) {
    this.#grammar = grammar;
    this.#bottom = { id: 0, expression: null, at: 0, below: null, above: null, generation: 0 };
  }

  get start(): MachineState {
    if (this.#start !== null) return this.#start;
    const start = this.#state([this.#frame(this.#grammar, 0, this.#bottom)]);
    this.#start = start ?? { accepts: false, edges: [], frames: [], next: [] };
    return this.#start;
  }

  /** Work so far, in steps of some tens of nanoseconds. */
  get work(): number {
    return this.#work;
  }

  /** The state after one more byte; null for a forbidden byte. */
  step(state: MachineState, byte: number): MachineState | null {
    const known = state.next[byte];
    return known === undefined ? this.#stepAnew(state, byte) : known;
  }

  /** Whether the grammar accepts the text. */
  accepts(text: Uint8Array): boolean {
    let state: MachineState | null = this.start;
    for (const byte of text) state = state && this.step(state, byte);
    return state?.accepts ?? false;
  }

  /** A simpler state that accepts the same next `bytes` bytes: limits that are further away are left out. */
  near(state: MachineState, bytes: number): MachineState {
    return this.#state(state.frames.map((frame) => this.#nearFrame(frame, bytes))) ?? state;
  }

  #stepAnew(state: MachineState, byte: number): MachineState | null {
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

  #state(targets: readonly Frame[]): MachineState | null {
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

  /** Expands the expressions on top until each begins with a byte. */
  #open(frames: readonly Frame[]): Pick<MachineState, 'accepts' | 'edges'> {
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

  /** The last part of a sequence leaves no frame, so that tail recursion does not grow the stack. */
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
