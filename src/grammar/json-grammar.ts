/**
 * A JSON Schema as a grammar: every text of the grammar parses and validates. What cannot be enforced is refused with its
 * name and place.
 *
 * The grammar may be narrower than the schema, never wider: one line, properties in the schema's order, no property
 * that the schema does not name beside those that it names, numbers of at most 15 digits.
 */
import { automaton, deterministic, type Effort, type Language, type State } from './automaton.ts';
import {
  choice,
  counting,
  Deferred,
  type Expression,
  literal,
  nothing,
  oneOf,
  optional,
  sequence,
} from './expression.ts';
import { isSchemaObject, readKeywords, refuse, type Schema } from './keywords.ts';
import { limitedAutomaton } from './limited-pattern.ts';
import { Machine } from './machine.ts';
import { anyNumber, limitedNumber } from './number-range.ts';
import { formatPatterns, insideJsonString, mostStates, patternLanguage } from './pattern.ts';
import { References } from './pointer.ts';
import { anyString, limitedString } from './strings.ts';
import { disjoint, literals, typesOf } from './types.ts';

/** The model may write a space after a comma and a colon, or leave it out. */
const comma = oneOf([',', ', ']);
const colon = oneOf([':', ': ']);
const quote = literal('"');

/** Limit of nesting, references included. */
const deepest = 64;
/** Limit of `oneOf`: each pair of schemas is compared. */
const mostOneOf = 64;
/** Limit of schemas and of values of `enum` within one schema, counted each time that they are used. */
const mostSchemas = 5_000;
/** Ignored keys that are described. */
const mostIgnored = 20;
/** Budget for the automata of one schema: some tens of milliseconds. */
const mostEffort = 150_000;

const number = automaton(deterministic(anyNumber, mostStates, { steps: mostEffort }) ?? [], nothing);
const anyValue: Expression = new Deferred(() =>
  choice(anyObject, listOf('[', anyValue, ']'), anyString, number, oneOf(['true', 'false', 'null'])),
);
const anyObject = listOf('{', sequence(anyString, colon, anyValue), '}');

/** The model may begin an answer with a space, as in its training between "Answer:" and the text. */
export const leadingSpace = optional(literal(' '));

/** Any JSON object. */
export const objectGrammar = anyObject;

/**
 * @returns the expression, and the keys of the schema that were ignored because they are no keywords
 * @throws CogVLM2Error `invalid_json_schema` naming keyword, place and reason.
 */
export function schemaGrammar(schema: unknown): { expression: Expression; ignored: string[] } {
  const grammar = new SchemaGrammar(schema);
  const expression = grammar.value(schema, '#', 0);
  return { expression, ignored: grammar.ignored };
}

class SchemaGrammar {
  readonly #ignored = new Set<string>();
  #moreIgnored = 0;
  readonly #targets: References;
  readonly #effort: Effort = { steps: mostEffort };
  #schemas = 0;
  /** Caches by content: many fields of a form have equal schemas. */
  readonly #languages = new Map<string, State[]>();
  readonly #numbers = new Map<string, Expression>();
  readonly #references = new Map<string, Expression>();

  constructor(root: unknown) {
    this.#targets = new References(root);
  }

  /** What was ignored, described; of many, the first and how many more there are. */
  get ignored(): string[] {
    return [...this.#ignored, ...(this.#moreIgnored > 0 ? [`the rest (${this.#moreIgnored} keys)`] : [])];
  }

  value(given: unknown, at: string, depth: number): Expression {
    const schema = this.#read(given, at, depth);
    if (schema === true) return anyValue;
    const inside = depth + 1;
    if (schema.$ref !== undefined) return this.#reference(schema.$ref, at, inside);
    if (schema.allOf !== undefined)
      return this.value(onlyOne(schema.allOf, `${at}/allOf`), `${at}/allOf/0`, inside);
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const branches = schema[keyword];
      if (branches === undefined) continue;
      if (keyword === 'oneOf') this.#checkDisjoint(branches, `${at}/oneOf`);
      return choice(...branches.map((branch, i) => this.value(branch, `${at}/${keyword}/${i}`, inside)));
    }
    const types = typesOf(schema);
    if (schema.const !== undefined || schema.enum !== undefined) {
      this.#count(schema.enum?.length ?? 0, at);
      const values = literals(schema, types);
      if (values.length === 0) refuse(at, 'allows no value');
      return oneOf(values);
    }
    if (types === null) return anyValue;
    return choice(...types.map((type) => this.#ofType(type, schema, at, inside)));
  }

  /** The keywords of a schema, or true for a schema that allows everything. */
  #read(schema: unknown, at: string, depth: number): Schema | true {
    if (depth > deepest) refuse(at, `is nested more than ${deepest} deep`);
    this.#count(1, at);
    if (schema === true) return true;
    if (schema === false) refuse(at, 'is false, which no answer can satisfy');
    if (!isSchemaObject(schema)) refuse(at, 'is neither an object nor true');
    return this.#keywords(schema, at);
  }

  #count(schemas: number, at: string): void {
    this.#schemas += schemas;
    if (this.#schemas <= mostSchemas) return;
    refuse(at, `is one of more than ${mostSchemas} schemas and values, which is the limit`);
  }

  #keywords(schema: Record<string, unknown>, at: string): Schema {
    return readKeywords(schema, at, (describe) => {
      if (this.#ignored.size < mostIgnored) this.#ignored.add(describe());
      else this.#moreIgnored++;
    });
  }

  /** An answer that matches two schemas of `oneOf` is invalid. A grammar cannot check that, so the schemas must be disjoint. */
  #checkDisjoint(branches: readonly unknown[], at: string): void {
    if (branches.length > mostOneOf)
      refuse(at, `holds ${branches.length} schemas; up to ${mostOneOf} can be enforced, or more in anyOf`);
    const schemas = branches.map((branch) => {
      const target =
        isSchemaObject(branch) && typeof branch.$ref === 'string' ? this.#target(branch.$ref, at) : branch;
      return isSchemaObject(target) ? this.#keywords(target, at) : {};
    });
    for (const [i, one] of schemas.entries()) {
      const other = schemas.findIndex((schema, j) => j > i && !disjoint(one, schema));
      if (other >= 0) refuse(at, `has schemas ${i} and ${other}, which may both fit an answer; use anyOf`);
    }
  }

  #target(reference: string, at: string): unknown {
    return this.#targets.target(reference, at);
  }

  #ofType(type: string, schema: Schema, at: string, depth: number): Expression {
    switch (type) {
      case 'null':
        return literal('null');
      case 'boolean':
        return oneOf(['true', 'false']);
      case 'integer':
      case 'number':
        return this.#number(type === 'integer', schema, at);
      case 'string':
        return this.#string(schema, at);
      case 'array':
        return this.#array(schema, at, depth);
      default:
        return this.#object(schema, at, depth);
    }
  }

  #number(isInteger: boolean, schema: Schema, at: string): Expression {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
    const limits = [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf];
    const key = JSON.stringify([isInteger, ...limits]);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const isLimited = isInteger || limits.some((limit) => limit !== undefined);
    const numbers = isLimited ? limitedNumber(schema, isInteger, at, this.#effort) : number;
    this.#numbers.set(key, numbers);
    return numbers;
  }

  #string(schema: Schema, at: string): Expression {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
    if (maxLength < minLength) refuse(at, 'allows no length of the string');
    const isLimited = minLength > 0 || maxLength < Number.POSITIVE_INFINITY;
    const source = pattern ?? formatPatterns.get(format ?? '');
    if (source === undefined) return isLimited ? limitedString(minLength, maxLength) : anyString;
    const place = `${at}/${pattern === undefined ? 'format' : 'pattern'}`;
    const states = this.#states(
      patternLanguage(source, insideJsonString, (reason) => refuse(place, reason)),
      place,
    );
    if (!isLimited) return sequence(quote, automaton(states, quote));
    const limited = limitedAutomaton(states, minLength, maxLength, quote, this.#effort);
    if (typeof limited === 'string') refuse(at, limited);
    return sequence(quote, limited);
  }

  #array(schema: Schema, at: string, depth: number): Expression {
    const { minItems = 0, maxItems } = schema;
    const { prefixItems, items } = schema;
    // Before draft 2020-12 a tuple was a list in "items", with "additionalItems" for the rest; the AI SDK writes that.
    const isOld = prefixItems === undefined && Array.isArray(items);
    const [members, rest]: [unknown[], unknown] = isOld
      ? [items, schema.additionalItems]
      : [prefixItems ?? [], items];
    const [memberPlace, restPlace] = isOld ? ['items', 'additionalItems'] : ['prefixItems', 'items'];
    // All members of a tuple are written, and further items only when the schema describes them.
    const first = members.map((item, i) => this.value(item, `${at}/${memberPlace}/${i}`, depth));
    const restMayBe = first.length > 0 ? rest !== undefined && rest !== false : rest !== false;
    const least = Math.max(0, minItems - first.length);
    const most = restMayBe ? (maxItems ?? Number.POSITIVE_INFINITY) - first.length : 0;
    if (most < least) refuse(at, 'allows no number of items');
    const item = most === 0 ? nothing : this.value(rest ?? true, `${at}/${restPlace}`, depth);
    return listOf('[', item, ']', least, most, first);
  }

  #object(schema: Schema, at: string, depth: number): Expression {
    const { properties = {}, required = [], additionalProperties = true, propertyNames } = schema;
    const names = this.#namesOf(schema, at, depth);
    const requiredNames = new Set(required);
    if (names.length === 0) {
      if (additionalProperties === false) return literal('{}');
      const key =
        propertyNames === undefined ? anyString : this.#name(propertyNames, `${at}/propertyNames`, depth);
      if (key === null) refuse(`${at}/propertyNames`, 'allows no name');
      const value = this.value(additionalProperties, `${at}/additionalProperties`, depth);
      return listOf('{', sequence(key, colon, value), '}');
    }
    const member = (name: string) => {
      const [value, place] = Object.hasOwn(properties, name)
        ? [properties[name], `${at}/properties/${pointerPart(name)}`]
        : [additionalProperties, `${at}/additionalProperties`];
      return sequence(literal(JSON.stringify(name)), colon, this.value(value, place, depth));
    };
    // From the last property to the first: what may follow after a property, and what may follow before any.
    let following = literal('}');
    let beginning = following;
    for (const name of names.reverse()) {
      const written = member(name);
      const first = sequence(written, following);
      const further = sequence(comma, written, following);
      const isRequired = requiredNames.has(name);
      beginning = isRequired ? first : choice(first, beginning);
      following = isRequired ? further : choice(further, following);
    }
    return sequence(literal('{'), beginning);
  }

  /** The properties that a schema names and that `propertyNames` allows. */
  #namesOf({ properties = {}, required = [], propertyNames }: Schema, at: string, depth: number): string[] {
    const names = [...new Set([...Object.keys(properties), ...required])];
    if (propertyNames === undefined || names.length === 0) return names;
    const allowed = this.#name(propertyNames, `${at}/propertyNames`, depth);
    const machine = new Machine(allowed ?? choice());
    const isAllowed = (name: string) => machine.accepts(Buffer.from(JSON.stringify(name)));
    const missing = required.find((name) => !isAllowed(name));
    if (missing !== undefined)
      refuse(at, `requires ${JSON.stringify(missing)}, which propertyNames does not allow`);
    return names.filter(isAllowed);
  }

  /** The strings that a schema allows, as names of properties. Null when it allows none. */
  #name(given: unknown, at: string, depth: number): Expression | null {
    if (given === false) return null;
    const schema = this.#read(given, at, depth);
    if (schema === true) return anyString;
    const inside = depth + 1;
    if (schema.$ref !== undefined) return this.#name(this.#target(schema.$ref, at), schema.$ref, inside);
    if (schema.allOf !== undefined)
      return this.#name(onlyOne(schema.allOf, `${at}/allOf`), `${at}/allOf/0`, inside);
    const keyword = schema.anyOf === undefined ? 'oneOf' : 'anyOf';
    const branches = schema[keyword];
    if (branches !== undefined) {
      if (keyword === 'oneOf') this.#checkDisjoint(branches, `${at}/oneOf`);
      const names = branches.map((branch, i) => this.#name(branch, `${at}/${keyword}/${i}`, inside));
      const some = names.filter((name) => name !== null);
      return some.length === 0 ? null : choice(...some);
    }
    if (schema.const !== undefined || schema.enum !== undefined) {
      const strings = literals(schema, ['string']);
      return strings.length === 0 ? null : oneOf(strings);
    }
    return typesOf(schema)?.includes('string') === false ? null : this.#string(schema, at);
  }

  /** The expression exists before its target is built, so a schema may refer to itself. */
  #reference(reference: string, at: string, depth: number): Expression {
    const known = this.#references.get(reference);
    if (known !== undefined) return known;
    let target = nothing;
    const expression = new Deferred(() => target);
    this.#references.set(reference, expression);
    target = this.value(this.#target(reference, at), reference, depth);
    return expression;
  }

  #states(language: Language, at: string): State[] {
    const key = JSON.stringify(language);
    const states = this.#languages.get(key) ?? deterministic(language, mostStates, this.#effort);
    if (states === null) {
      refuse(
        at,
        this.#effort.steps < 0
          ? 'brings the automata of the schema beyond what can be worked out; leave out a pattern, or make it shorter'
          : `takes an automaton that is too large (the limit is ${mostStates} states); make it shorter`,
      );
    }
    this.#languages.set(key, states);
    return states;
  }
}

/** The items of `first`, then `least` to `most` further ones. */
function listOf(
  open: string,
  item: Expression,
  close: string,
  least = 0,
  most = Number.POSITIVE_INFINITY,
  first: readonly Expression[] = [],
): Expression {
  const end = literal(close);
  const items = (separator: Expression, least: number, most: number) =>
    choice(
      ...(least === 0 ? [end] : []),
      ...(most > 0 ? [sequence(separator, item, further(Math.max(0, least - 1), most - 1))] : []),
    );
  const further: (least: number, most: number) => Expression = counting((least, most) =>
    items(comma, least, most),
  );
  const [head, ...others] = first;
  if (head === undefined) return sequence(literal(open), items(nothing, least, most));
  return sequence(literal(open), head, ...others.flatMap((other) => [comma, other]), further(least, most));
}

function onlyOne(branches: readonly unknown[], at: string): unknown {
  if (branches.length !== 1)
    refuse(at, `holds ${branches.length} schemas; only one can be enforced at a time`);
  return branches[0];
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
