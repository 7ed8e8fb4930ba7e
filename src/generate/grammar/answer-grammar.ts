/** The grammar of an answer's format. A schema met again, as in each request of a client, has the grammar that it had. */
import { CogVLM2Error } from '../../errors.ts';
import type { AnswerFormat } from '../types.ts';
import type { Expression } from './expression.ts';
import { objectGrammar, schemaGrammar } from './json-grammar.ts';
import { refuse } from './keywords.ts';

/** Characters of a schema as JSON. */
const longest = 131_072;
/** Grammars kept, each with the masks that were made for it; the least recently used one goes. */
const mostKept = 8;

const kept = new Map<string, Expression>();

/** @throws CogVLM2Error `invalid_json_schema` naming keyword, place and reason; `invalid_value` for another format. */
export function answerGrammar(format: AnswerFormat): Expression {
  switch (format.type) {
    case 'json_object':
      return objectGrammar;
    case 'json_schema': {
      const key = asJson(format.schema);
      const grammar = kept.get(key) ?? schemaGrammar(format.schema);
      kept.delete(key);
      kept.set(key, grammar);
      if (kept.size > mostKept) kept.delete(kept.keys().next().value ?? '');
      return grammar;
    }
    default:
      throw new CogVLM2Error(
        'invalid_value',
        `format.type must be json_object or json_schema; got ${JSON.stringify((format as { type: unknown }).type)}.`,
      );
  }
}

function asJson(schema: object): string {
  let text: string;
  try {
    text = JSON.stringify(schema);
  } catch {
    refuse('#', 'cannot be written as JSON');
  }
  if (text.length > longest)
    refuse('#', `has ${text.length} characters as JSON; schemas of up to ${longest} can be enforced`);
  return text;
}
