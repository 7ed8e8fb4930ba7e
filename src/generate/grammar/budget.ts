/**
 * What one schema may cost. To compile its grammar holds up everything else of the process, and the schema may be a
 * stranger's; so what it will take is counted before. With 128,256 tokens, a rule that takes any character was 30 ms of
 * a processor's time, one that takes letters 11 ms, one that takes digits 0.6 ms, and 100 bytes of rules 0.5 ms.
 */
import type { State } from './automaton.ts';
import { type CharacterRange, intersection } from './characters.ts';
import { refuse } from './keywords.ts';

/** Of the schema as JSON. */
const mostSchemaLength = 131_072;
/** Of its rules, in characters. */
const mostRuleLength = 131_072;
/** Rules that take any character, or as much of others. */
const mostCharacters = 80;

/** @throws CogVLM2Error `invalid_json_schema` for a schema that is too long, or no JSON. */
export function checkLength(schema: unknown): void {
  let length: number;
  try {
    length = JSON.stringify(schema)?.length ?? 0;
  } catch {
    refuse('#', 'cannot be written as JSON');
  }
  if (length > mostSchemaLength)
    refuse('#', `has ${length} characters as JSON; schemas of up to ${mostSchemaLength} can be enforced`);
}

export class GrammarBudget {
  #characters = 0;
  #length = 0;

  /** @param count of rules that take any character, or as much of others. */
  characters(count: number, at: string): void {
    this.#characters += count;
    if (this.#characters > mostCharacters) {
      refuse(
        at,
        `brings what a schema counts, character by character, above ${mostCharacters}, which is the limit; leave out a pattern, a format or a limit of length, or make it shorter`,
      );
    }
  }

  rule(body: string, at: string): void {
    this.#length += body.length;
    if (this.#length > mostRuleLength)
      refuse(at, `brings the grammar above ${mostRuleLength} characters, which is the limit of a schema`);
  }
}

/** How much the rules of an automaton take, as parts of rules that take any character. */
export function charactersOf(states: readonly State[]): number {
  return states.reduce((sum, { moves }) => sum + shareOf(moves.flatMap(({ ranges }) => ranges)), 0);
}

/** Of the tokens: most are words, half of them behind a space, and the rest is mostly beyond ASCII. */
function shareOf(ranges: readonly CharacterRange[]): number {
  const letters = intersection(ranges, [
    [0x41, 0x5a],
    [0x61, 0x7a],
  ]).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const space = intersection(ranges, [[0x20, 0x20]]).length * 26;
  const beyond = ranges.some(([, to]) => to > 0xff) ? 0.5 : 0;
  return Math.min(1, 0.02 + (letters + space) / 78 + beyond);
}
