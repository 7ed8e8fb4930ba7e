/**
 * A JSON Schema as a grammar (EBNF as xgrammar reads it), such that whatever the grammar lets through parses and
 * validates. xgrammar has a converter of its own, but it passes over what it does not know (multipleOf, uniqueItems,
 * the values of a record) and lets raw control characters into strings of limited length; so this one is ours, and what
 * it cannot hold an answer to is refused by name and place.
 *
 * The grammar may be narrower than the schema, never wider: one line, properties in the schema's order, no property
 * that the schema does not name beside those that it names, numbers of at most 15 digits.
 */
import { CogVLM2Error } from '../../errors.ts';
import type { AnswerFormat } from '../types.ts';
import { automatonRules, deterministic, type Language } from './automaton.ts';
import { charactersOf, checkLength, GrammarBudget } from './budget.ts';
import { quoted } from './characters.ts';
import { checkKeywords, isSchemaObject, refuse, type Schema } from './keywords.ts';
import { integersOf, numbersOf } from './number-range.ts';
import { formatPatterns, mostStates, patternLanguage } from './pattern.ts';
import { resolve } from './pointer.ts';
import { limitedString, longestLimit, STRING_RULES } from './strings.ts';
import { disjoint, literals, typesOf } from './types.ts';

const numberRules = automatonRules(deterministic(numbersOf({}, '#'), mostStates) ?? [], 'number', '""')
  .map(([name, body]) => `${name} ::= ${body}`)
  .join('\n');

/** Rules that every grammar may use. A space, where one is usual, is the model's to write or not. */
const COMMON = `
comma ::= "," " "?
colon ::= ":" " "?
any ::= anyobject | anyarray | string | number | "true" | "false" | "null"
anyobject ::= "{" (string colon any (comma string colon any)*)? "}"
anyarray ::= "[" (any (comma any)*)? "]"
number ::= numbers0
${numberRules}
${STRING_RULES}`;

/** Deeper nesting, through references too, is nobody's schema. */
const deepest = 64;
/** Each is compared with each. */
const mostOneOf = 64;

/**
 * The grammar for an answer; a space may stand before it, as between "Answer:" and the text in the model's training.
 * @throws CogVLM2Error `invalid_json_schema` naming keyword, place and reason; `invalid_value` for another format.
 */
export function answerGrammar(format: AnswerFormat): string {
  switch (format.type) {
    case 'json_object':
      return `root ::= " "? anyobject${COMMON}`;
    case 'json_schema':
      return new SchemaGrammar(format.schema).text;
    default:
      throw new CogVLM2Error(
        'invalid_value',
        `format.type must be json_object or json_schema; got ${JSON.stringify((format as { type: unknown }).type)}.`,
      );
  }
}

class SchemaGrammar {
  readonly text: string;
  readonly #root: unknown;
  readonly #budget = new GrammarBudget();
  /** Names of rules by what they say. */
  readonly #rules = new Map<string, string>();
  /** First rules of automata by their languages. */
  readonly #automata = new Map<string, string>();
  /** Rules with a name of their own. */
  readonly #named = new Map<string, string>();

  constructor(root: unknown) {
    this.#root = root;
    checkLength(root);
    const start = this.#value(root, '#', 0);
    const rules = [...Array.from(this.#rules, ([body, name]) => [name, body]), ...this.#named];
    const lines = rules.map(([name, body]) => `${name} ::= ${body}`);
    this.text = `root ::= " "? ${start}\n${lines.join('\n')}${COMMON}`;
  }

  /** An expression that can stand anywhere, for one value. */
  #value(schema: unknown, at: string, depth: number): string {
    if (depth > deepest) refuse(at, `is nested more than ${deepest} deep`);
    if (schema === true) return 'any';
    if (schema === false) refuse(at, 'is false, which no answer can satisfy');
    if (!isSchemaObject(schema)) refuse(at, 'is neither an object nor true');
    checkKeywords(schema, at);
    const inside = depth + 1;
    if (schema.$ref !== undefined) return this.#reference(schema.$ref, at, inside);
    if (schema.allOf !== undefined)
      return this.#value(onlyOne(schema.allOf, `${at}/allOf`), `${at}/allOf/0`, inside);
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const branches = schema[keyword];
      if (branches === undefined) continue;
      if (keyword === 'oneOf') this.#checkDisjoint(branches, `${at}/oneOf`);
      const choices = branches.map((branch, i) => this.#value(branch, `${at}/${keyword}/${i}`, inside));
      return this.#rule(choices.join(' | '), at);
    }
    const types = typesOf(schema);
    if (schema.const !== undefined || schema.enum !== undefined) {
      return this.#rule(literals(schema, types, at).map(quoted).join(' | '), at);
    }
    if (types === null) return 'any';
    return this.#rule(types.map((type) => this.#ofType(type, schema, at, inside)).join(' | '), at);
  }

  /** An answer that fits two of `oneOf` is invalid, which no grammar can see to: the schemas must exclude each other. */
  #checkDisjoint(branches: readonly unknown[], at: string): void {
    if (branches.length > mostOneOf)
      refuse(at, `holds ${branches.length} schemas; up to ${mostOneOf} can be enforced, or more in anyOf`);
    const schemas = branches.map((branch) => {
      const target =
        isSchemaObject(branch) && typeof branch.$ref === 'string' ? this.#target(branch.$ref, at) : branch;
      if (!isSchemaObject(target)) return {};
      checkKeywords(target, at);
      return target;
    });
    for (const [i, one] of schemas.entries()) {
      const other = schemas.findIndex((schema, j) => j > i && !disjoint(one, schema));
      if (other >= 0) refuse(at, `has schemas ${i} and ${other}, which may both fit an answer; use anyOf`);
    }
  }

  #target(reference: string, at: string): unknown {
    return resolve(this.#root, reference, at);
  }

  #ofType(type: string, schema: Schema, at: string, depth: number): string {
    switch (type) {
      case 'null':
        return '"null"';
      case 'boolean':
        return '"true" | "false"';
      case 'integer':
        return this.#automaton(integersOf(schema, at), '""', at);
      case 'number':
        return this.#automaton(numbersOf(schema, at), '""', at);
      case 'string':
        return this.#string(schema, at);
      case 'array':
        return this.#array(schema, at, depth);
      default:
        return this.#object(schema, at, depth);
    }
  }

  #string(schema: Schema, at: string): string {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
    const limited = minLength > 0 || maxLength < Number.POSITIVE_INFINITY;
    if (pattern !== undefined || format !== undefined) {
      if (limited)
        refuse(at, 'limits the length of a string that has a pattern or format; put it into the pattern');
      const [source, keyword] =
        pattern === undefined ? [formatPatterns.get(format!)!, 'format'] : [pattern, 'pattern'];
      const place = `${at}/${keyword}`;
      return `"\\"" ${this.#automaton(patternLanguage(source, place), '"\\""', place)}`;
    }
    if (!limited) return 'string';
    if (maxLength < minLength) refuse(at, 'allows no length of the string');
    const limit = Math.max(minLength, maxLength === Number.POSITIVE_INFINITY ? 0 : maxLength);
    if (limit > longestLimit) {
      refuse(at, `limits a string to ${limit} characters; limits up to ${longestLimit} can be enforced`);
    }
    return limitedString(minLength, maxLength, (name, body) =>
      this.#define(name, at, () => {
        this.#budget.characters(1, at);
        return body();
      }),
    );
  }

  #array(schema: Schema, at: string, depth: number): string {
    const { prefixItems = [], items, minItems = 0, maxItems } = schema;
    // Of a tuple all members are written, and nothing behind them unless `items` says what.
    const first = prefixItems.map((item, i) => this.#value(item, `${at}/prefixItems/${i}`, depth));
    const restMayBe = prefixItems.length > 0 ? items !== undefined && items !== false : items !== false;
    const least = Math.max(0, minItems - first.length);
    const most = restMayBe ? (maxItems ?? Number.POSITIVE_INFINITY) - first.length : 0;
    if (most < least) refuse(at, 'allows no number of items');
    const written = first.join(' comma ');
    if (most === 0) return `"[" ${written} "]"`;
    const item = this.#value(items ?? true, `${at}/items`, depth);
    if (written !== '') return `"[" ${written} (comma ${item})${times(least, most)} "]"`;
    const all = `${item} (comma ${item})${times(Math.max(0, least - 1), most - 1)}`;
    return least === 0 ? `"[" (${all})? "]"` : `"[" ${all} "]"`;
  }

  #object(schema: Schema, at: string, depth: number): string {
    const { properties = {}, required = [], additionalProperties = true, propertyNames } = schema;
    const names = [...new Set([...Object.keys(properties), ...required])];
    if (names.length === 0) {
      if (additionalProperties === false) return '"{" "}"';
      const key =
        propertyNames === undefined
          ? 'string'
          : this.#value({ type: 'string', ...propertyNames }, `${at}/propertyNames`, depth);
      const value = this.#value(additionalProperties, `${at}/additionalProperties`, depth);
      return `"{" (${key} colon ${value} (comma ${key} colon ${value})*)? "}"`;
    }
    const member = (name: string) => {
      const [value, place] = Object.hasOwn(properties, name)
        ? [properties[name], `${at}/properties/${pointerPart(name)}`]
        : [additionalProperties, `${at}/additionalProperties`];
      return `${quoted(JSON.stringify(name))} colon ${this.#value(value, place, depth)}`;
    };
    // From the last to the first: what may follow once a property has been written, and what if none has.
    let following = '';
    let beginning = '';
    for (const name of names.reverse()) {
      const written = this.#rule(member(name), at);
      if (required.includes(name)) {
        beginning = `${written} ${following}`;
        following = `comma ${written} ${following}`;
      } else {
        beginning = this.#rule(`${written} ${following} | ${beginning || '""'}`, at);
        following = this.#rule(`(comma ${written})? ${following}`, at);
      }
    }
    return `"{" ${beginning} "}"`;
  }

  #reference(reference: string, at: string, depth: number): string {
    const name = `ref_${[...Buffer.from(reference)].map((byte) => byte.toString(16)).join('')}`;
    return this.#define(name, at, () => this.#value(this.#target(reference, at), reference, depth));
  }

  /** A language as rules; `end` stands behind its text. @returns the name of the first. */
  #automaton(language: Language, end: string, at: string): string {
    const key = JSON.stringify([language, end]);
    const known = this.#automata.get(key);
    if (known !== undefined) return known;
    const states = deterministic(language, mostStates);
    if (states === null)
      refuse(at, `takes an automaton that is too large (the limit is ${mostStates} states); make it shorter`);
    this.#budget.characters(charactersOf(states), at);
    const rules = automatonRules(states, `automaton${this.#automata.size}`, end);
    for (const [name, body] of rules) this.#define(name, at, () => body);
    const [[first]] = rules as [[string, string]];
    this.#automata.set(key, first);
    return first;
  }

  /** The name is there before the body is, so that a schema may recur. */
  #define(name: string, at: string, body: () => string): string {
    if (this.#named.has(name)) return name;
    this.#named.set(name, '');
    const written = body();
    this.#budget.rule(written, at);
    this.#named.set(name, written);
    return name;
  }

  #rule(body: string, at: string): string {
    const known = this.#rules.get(body);
    if (known !== undefined) return known;
    this.#budget.rule(body, at);
    const name = `rule${this.#rules.size}`;
    this.#rules.set(body, name);
    return name;
  }
}

function times(least: number, most: number): string {
  if (most === Number.POSITIVE_INFINITY) return least === 0 ? '*' : `{${least},}`;
  return `{${least},${most}}`;
}

function onlyOne(branches: readonly unknown[], at: string): unknown {
  if (branches.length !== 1)
    refuse(at, `holds ${branches.length} schemas; only one can be enforced at a time`);
  return branches[0];
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
