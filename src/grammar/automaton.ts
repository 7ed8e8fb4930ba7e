/** Regular languages over characters: construction of deterministic automata, and their conversion to expressions over bytes. */
import { type CharacterRange, characters } from './characters.ts';
import { type Expression, sequence } from './expression.ts';
import type { Work } from './work.ts';

export type Language =
  /** One character of these. */
  | { one: readonly CharacterRange[] }
  /** These parts in sequence. */
  | { sequence: readonly Language[] }
  | { choice: readonly Language[] }
  | { of: Language; least: number; most: number };

export interface AutomatonState {
  accepts: boolean;
  moves: { ranges: CharacterRange[]; to: number }[];
}

/** Literal text. */
export function text(characters: string): Language {
  const one = (character: string): Language => {
    const codePoint = character.codePointAt(0)!;
    return { one: [[codePoint, codePoint]] };
  };
  return { sequence: Array.from(characters, one) };
}

/** Budget for building automata, in steps of some tens of nanoseconds. */
export interface Effort {
  steps: number;
}

/** Cost of one state or transition. */
const stepsPerPart = 50;

/** The states of the automaton, the start state first. Null when there are more than `most`, or the budget is spent. */
export function* deterministic(
  language: Language,
  most: number,
  effort: Effort,
): Work<AutomatonState[] | null> {
  if (positionsIn(language) > 4 * most) return null;
  const nondeterministic = new Nondeterministic(effort);
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
  const states: AutomatonState[] = [];
  for (let at = 0; at < sets.length; at++) {
    if (sets.length > most || effort.steps < 0) return null;
    const set = sets[at]!;
    const moves = new Map<number, CharacterRange[]>();
    for (const [range, targets] of nondeterministic.movesOf(set)) {
      const to = numberOf(nondeterministic.closure(targets));
      moves.set(to, [...(moves.get(to) ?? []), range]);
    }
    effort.steps -= stepsPerPart * (1 + moves.size);
    states.push({
      accepts: set.includes(end),
      moves: Array.from(moves, ([to, ranges]) => ({ ranges, to })),
    });
    yield;
  }
  return states;
}

/** An expression for the texts of the automaton, each followed by `end`. */
export function automaton(states: readonly AutomatonState[], end: Expression): Expression {
  const choices: Expression[][] = states.map(({ accepts }) => (accepts ? [end] : []));
  const forms = choices.map((choices): Expression => ({ type: 'choice', choices }));
  for (const [i, { moves }] of states.entries()) {
    choices[i]!.push(...moves.map(({ ranges, to }) => sequence(characters(ranges), forms[to]!)));
  }
  return forms[0]!;
}

/** Number of character positions in the language, with repetitions counted each time. */
function positionsIn(language: Language): number {
  if ('one' in language) return 1;
  if ('of' in language) {
    const { of, least, most } = language;
    return positionsIn(of) * Math.max(1, most === Number.POSITIVE_INFINITY ? least + 1 : most);
  }
  const parts = 'sequence' in language ? language.sequence : language.choice;
  return parts.reduce((sum, part) => sum + positionsIn(part), 1);
}

/** Thompson's construction: states with transitions that read a character, and transitions that read nothing. */
class Nondeterministic {
  readonly #free: number[][] = [];
  readonly #moves: { ranges: readonly CharacterRange[]; to: number }[][] = [];

  readonly #effort: Effort;

  constructor(effort: Effort) {
    this.#effort = effort;
  }

  state(): number {
    this.#moves.push([]);
    return this.#free.push([]) - 1;
  }

  /** Adds the language after the state `from`. @returns the state at its end. */
  add(language: Language, from: number): number {
    if ('one' in language) {
      const to = this.state();
      this.#moves[from]!.push({ ranges: language.one, to });
      return to;
    }
    if ('sequence' in language) return language.sequence.reduce((at, part) => this.add(part, at), from);
    const to = this.state();
    if ('choice' in language) {
      for (const choice of language.choice) this.#link(this.add(choice, this.#linked(from)), to);
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

  /** All states that can be reached from these without reading a character, sorted. */
  closure(states: readonly number[]): number[] {
    const reached = new Set(states);
    for (const state of reached) for (const next of this.#free[state]!) reached.add(next);
    this.#effort.steps -= reached.size;
    return [...reached].sort((a, b) => a - b);
  }

  /** Disjoint ranges of characters, each with the states that it leads to. */
  movesOf(states: readonly number[]): [CharacterRange, number[]][] {
    const moves = states.flatMap((state) => this.#moves[state]!);
    const edges = moves.flatMap(({ ranges }) => ranges.flatMap(([from, to]) => [from, to + 1]));
    const starts = [...new Set(edges)].sort((a, b) => a - b);
    this.#effort.steps -= starts.length * edges.length;
    return starts.slice(0, -1).flatMap((start, i): [CharacterRange, number[]][] => {
      const range: CharacterRange = [start, starts[i + 1]! - 1];
      const fitting = moves.filter(({ ranges }) => ranges.some(([from, to]) => from <= start && start <= to));
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
