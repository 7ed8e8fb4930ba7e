/**
 * Regular languages as deterministic automata, and those as rules of a grammar: one rule for each state, its choices
 * told apart by the next character. The library takes two choices that begin alike for one in some cases (with
 * `[0-9] "." | [1-9] [0-9] "."` it lets 05. through), and a mask is cheap only where rules go on into each other.
 */
import { byteSequences, type CharacterRange, intersection } from './characters.ts';

export type Language =
  /** One character of these. */
  | { one: readonly CharacterRange[] }
  /** One after the other. */
  | { all: readonly Language[] }
  | { any: readonly Language[] }
  | { of: Language; least: number; most: number };

export interface State {
  accepts: boolean;
  moves: { ranges: CharacterRange[]; to: number }[];
}

/** Literal text. */
export function text(characters: string): Language {
  const one = (character: string): Language => {
    const codePoint = character.codePointAt(0)!;
    return { one: [[codePoint, codePoint]] };
  };
  return { all: Array.from(characters, one) };
}

/** Steps of the construction below, some tens of nanoseconds each. */
const mostSteps = 5_000_000;

/** The states of the automaton, the first one first; null when it would take more than `most`, or long to make. */
export function deterministic(language: Language, most: number): State[] | null {
  if (positionsIn(language) > 4 * most) return null;
  const nondeterministic = new Nondeterministic();
  const end = nondeterministic.add(language, nondeterministic.state());
  const sets: number[][] = [];
  const numbers = new Map<string, number>();
  const numberOf = (set: number[]): number => {
    const key = set.join();
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, sets.length);
    return sets.push(set) - 1;
  };
  numberOf(nondeterministic.closure([0]));
  const states: State[] = [];
  for (let at = 0; at < sets.length; at++) {
    if (sets.length > most || nondeterministic.steps > mostSteps) return null;
    const set = sets[at]!;
    const moves = new Map<number, CharacterRange[]>();
    for (const [range, targets] of nondeterministic.movesOf(set)) {
      const to = numberOf(nondeterministic.closure(targets));
      moves.set(to, [...(moves.get(to) ?? []), range]);
    }
    states.push({
      accepts: set.includes(end),
      moves: Array.from(moves, ([to, ranges]) => ({ ranges, to })),
    });
  }
  return states;
}

/**
 * The automaton as rules; `end` is the expression for what stands behind an accepted text.
 * @returns [name, body] of each, the first state's first.
 */
export function automatonRules(states: readonly State[], name: string, end: string): [string, string][] {
  return states.map(({ accepts, moves }, i) => {
    const choices = moves.flatMap(({ ranges, to }) =>
      byteSequences(ranges).map((sequence) => `${sequence} ${name}s${to}`),
    );
    return [`${name}s${i}`, (accepts ? [end, ...choices] : choices).join(' | ')];
  });
}

/** How many characters, repeated ones each time, it has room for. */
function positionsIn(language: Language): number {
  if ('one' in language) return 1;
  if ('of' in language) {
    const { of, least, most } = language;
    return positionsIn(of) * Math.max(1, most === Number.POSITIVE_INFINITY ? least + 1 : most);
  }
  const parts = 'all' in language ? language.all : language.any;
  return parts.reduce((sum, part) => sum + positionsIn(part), 1);
}

/** Thompson's construction: states with moves that take a character, and moves that take none. */
class Nondeterministic {
  readonly #free: number[][] = [];
  readonly #moves: { ranges: readonly CharacterRange[]; to: number }[][] = [];

  steps = 0;

  state(): number {
    this.#moves.push([]);
    return this.#free.push([]) - 1;
  }

  /** Adds the language behind the state `from`. @returns the state behind the language. */
  add(language: Language, from: number): number {
    if ('one' in language) {
      const to = this.state();
      this.#moves[from]!.push({ ranges: language.one, to });
      return to;
    }
    if ('all' in language) return language.all.reduce((at, part) => this.add(part, at), from);
    const to = this.state();
    if ('any' in language) {
      for (const choice of language.any) this.#link(this.add(choice, this.#linked(from)), to);
      return to;
    }
    const { of, least, most } = language;
    let at = from;
    for (let i = 0; i < least; i++) at = this.add(of, at);
    if (most === Number.POSITIVE_INFINITY) {
      this.#link(at, to);
      this.#link(this.add(of, this.#linked(to)), to);
      return to;
    }
    for (let i = least; i < most; i++) {
      this.#link(at, to);
      at = this.add(of, this.#linked(at));
    }
    this.#link(at, to);
    return to;
  }

  /** All states that can be reached from these without a character, in order. */
  closure(states: readonly number[]): number[] {
    const reached = new Set(states);
    for (const state of reached) for (const next of this.#free[state]!) reached.add(next);
    this.steps += reached.size;
    return [...reached].sort((a, b) => a - b);
  }

  /** Ranges that do not overlap, each with the states that it leads to. */
  movesOf(states: readonly number[]): [CharacterRange, number[]][] {
    const moves = states.flatMap((state) => this.#moves[state]!);
    const edges = moves.flatMap(({ ranges }) => ranges.flatMap(([from, to]) => [from, to + 1]));
    const starts = [...new Set(edges)].sort((a, b) => a - b);
    this.steps += starts.length * edges.length;
    return starts.slice(0, -1).flatMap((start, i): [CharacterRange, number[]][] => {
      const range: CharacterRange = [start, starts[i + 1]! - 1];
      const fitting = moves.filter(({ ranges }) => intersection([range], ranges).length > 0);
      return fitting.length === 0 ? [] : [[range, fitting.map(({ to }) => to)]];
    });
  }

  #link(from: number, to: number): void {
    this.#free[from]!.push(to);
  }

  #linked(from: number): number {
    const to = this.state();
    this.#link(from, to);
    return to;
  }
}
