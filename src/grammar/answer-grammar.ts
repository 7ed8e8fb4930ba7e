/** The grammar of an answer's format. Grammars are cached, because a client often sends the same format again. */
import { CogVLM2Error } from '../errors.ts';
import { automaton, deterministic } from './automaton.ts';
import { intersection } from './characters.ts';
import { type Expression, nothing, oneOf, sequence } from './expression.ts';
import { schemaGrammar } from './json-grammar.ts';
import { leadingSpace, objectGrammar } from './json-values.ts';
import { mostStates, patternLanguage, plainText, whiteSpace } from './pattern.ts';
import { refuse } from './schema.ts';
import { doAtOnce, doInTurns, type Work } from './work.ts';

/** The format of an answer. */
export interface AnswerGrammar {
  readonly expression: Expression;
  /**
   * Whether white space at the start belongs to the answer. Otherwise one space may be first, as between "Answer:"
   * and the text in the model's training, and is not part of it.
   */
  readonly keepsLeadingSpace: boolean;
  /** Ignored parts of a schema, each with its path: unknown keys and unknown formats. */
  readonly ignored: readonly string[];
}

/** Characters of a schema as JSON. */
const longest = 131_072;
/** Grammars kept, each with the masks that were made for it; the least recently used one goes. */
const mostKept = 8;

const kept = new Map<string, AnswerGrammar>();

/**
 * @throws CogVLM2Error `invalid_json_schema` naming keyword, place and reason; `invalid_value` for a regular expression
 * or a list that cannot be enforced, and for another type of format.
 */
export function answerGrammar(format: AnswerFormat): AnswerGrammar {
  const key = keyOf(format);
  return keep(key, kept.get(key) ?? doAtOnce(makeGrammar(format)));
}

/** `answerGrammar`, in turns with other work: a large schema takes some tens of milliseconds. @throws the same */
export async function answerGrammarInTurns(format: AnswerFormat): Promise<AnswerGrammar> {
  const key = keyOf(format);
  const known = kept.get(key);
  if (known !== undefined) return keep(key, known);
  // The same format may be asked for again meanwhile.
  const begun = making.get(key) ?? doInTurns(makeGrammar(format)).finally(() => making.delete(key));
  making.set(key, begun);
  return keep(key, await begun);
}

const making = new Map<string, Promise<AnswerGrammar>>();

function keep(key: string, grammar: AnswerGrammar): AnswerGrammar {
  kept.delete(key);
  kept.set(key, grammar);
  if (kept.size > mostKept) kept.delete(kept.keys().next().value ?? '');
  return grammar;
}

function* makeGrammar(format: AnswerFormat): Work<AnswerGrammar> {
  switch (format.type) {
    case 'json_object':
      return withLeadingSpace(objectGrammar);
    case 'json_schema': {
      const { expression, ignored } = yield* schemaGrammar(format.schema);
      return withLeadingSpace(expression, ignored);
    }
    case 'regex': {
      const { expression, mayBeginWithSpace } = yield* regexGrammar(format.pattern);
      return mayBeginWithSpace
        ? { expression, keepsLeadingSpace: true, ignored: [] }
        : withLeadingSpace(expression);
    }
    case 'choice': {
      const expression = choiceGrammar(format.choices);
      const keepsLeadingSpace = format.choices.some((choice) => /^\s/.test(choice));
      return keepsLeadingSpace
        ? { expression, keepsLeadingSpace, ignored: [] }
        : withLeadingSpace(expression);
    }
    default:
      throw new CogVLM2Error(
        'invalid_value',
        `format.type must be json_object, json_schema, regex or choice; got ${JSON.stringify((format as { type: unknown }).type)}.`,
      );
  }
}

function withLeadingSpace(expression: Expression, ignored: readonly string[] = []): AnswerGrammar {
  return { expression: sequence(leadingSpace, expression), keepsLeadingSpace: false, ignored };
}

function keyOf(format: AnswerFormat): string {
  if (format.type !== 'json_schema') return JSON.stringify(format);
  let schema: string;
  try {
    schema = JSON.stringify(format.schema);
  } catch {
    refuse('#', 'cannot be written as JSON');
  }
  if (schema.length > longest)
    refuse('#', `has ${schema.length} characters as JSON; schemas of up to ${longest} can be enforced`);
  return schema;
}

/** The format that is enforced for each token. */
export type AnswerFormat =
  /** A JSON object with any content. */
  | { type: 'json_object' }
  /** JSON that validates against `schema`, a JSON Schema (draft 2020-12). docs/library.md lists what is enforced. */
  | { type: 'json_schema'; schema: object; name?: string }
  /** A text that the regular expression matches from its start to its end. No look-around and no back references. */
  | { type: 'regex'; pattern: string }
  /** One of these texts. */
  | { type: 'choice'; choices: readonly string[] };

// Plain text that a regular expression matches, or that is one of a list.

/** Steps of work for the automaton of one expression: some tens of milliseconds. */
const mostEffort = 150_000;
const mostChoices = 1_000;
const longestChoice = 1_000;

/** @throws CogVLM2Error `invalid_value` naming the part of the expression that cannot be enforced. */
function* regexGrammar(pattern: string): Work<{ expression: Expression; mayBeginWithSpace: boolean }> {
  const refuse = (reason: string): never => {
    throw new CogVLM2Error('invalid_value', `The regular expression ${reason}.`);
  };
  if (pattern === '') refuse('is empty, which only an empty answer matches');
  const language = patternLanguage(pattern, plainText, refuse);
  const states = yield* deterministic(language, mostStates, { steps: mostEffort });
  if (states === null) {
    return refuse(
      `needs an automaton that is too large (the limit is ${mostStates} states); make it shorter`,
    );
  }
  const first = states[0]?.moves.flatMap(({ ranges }) => ranges) ?? [];
  return {
    expression: automaton(states, nothing),
    mayBeginWithSpace: intersection(first, whiteSpace).length > 0,
  };
}

/** @throws CogVLM2Error `invalid_value` for an empty list, an empty text, or more than the limits allow. */
function choiceGrammar(choices: readonly string[]): Expression {
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
