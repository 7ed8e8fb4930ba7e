/** Plain text that a regular expression matches, or that is one of a list. */
import { CogVLM2Error } from '../errors.ts';
import { automaton, deterministic } from './automaton.ts';
import { intersection } from './characters.ts';
import { type Expression, nothing, oneOf } from './expression.ts';
import { mostStates, patternLanguage, plainText, whiteSpace } from './pattern.ts';
import type { Work } from './work.ts';

/** Steps of work for the automaton of one expression: some tens of milliseconds. */
const mostEffort = 150_000;
const mostChoices = 1_000;
const longestChoice = 1_000;

/** @throws CogVLM2Error `invalid_value` naming what of the expression cannot be enforced. */
export function* regexGrammar(pattern: string): Work<{ expression: Expression; mayBeginWithSpace: boolean }> {
  const refuse = (reason: string): never => {
    throw new CogVLM2Error('invalid_value', `The regular expression ${reason}.`);
  };
  if (pattern === '') refuse('is empty, which only an empty answer matches');
  const language = patternLanguage(pattern, plainText, refuse);
  const states = yield* deterministic(language, mostStates, { steps: mostEffort });
  if (states === null) {
    return refuse(
      `takes an automaton that is too large (the limit is ${mostStates} states); make it shorter`,
    );
  }
  const first = states[0]?.moves.flatMap(({ ranges }) => ranges) ?? [];
  return {
    expression: automaton(states, nothing),
    mayBeginWithSpace: intersection(first, whiteSpace).length > 0,
  };
}

/** @throws CogVLM2Error `invalid_value` for an empty list, an empty text, or more than the limits allow. */
export function choiceGrammar(choices: readonly string[]): Expression {
  const refuse = (reason: string): never => {
    throw new CogVLM2Error('invalid_value', `The list of choices ${reason}.`);
  };
  if (choices.length === 0) refuse('is empty');
  if (choices.length > mostChoices) refuse(`has ${choices.length} texts; the limit is ${mostChoices}`);
  for (const choice of choices) {
    if (choice === '') refuse('has an empty text');
    if (choice.length > longestChoice)
      refuse(`has a text of ${choice.length} characters; the limit is ${longestChoice}`);
    if (/[\uD800-\uDFFF]/u.test(choice)) refuse('has a text that is not well-formed Unicode');
  }
  return oneOf(choices);
}
