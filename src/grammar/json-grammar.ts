/**
 * A JSON Schema as a grammar: every text of the grammar parses and validates. A keyword that cannot be enforced is refused with
 * its name and place.
 *
 * The grammar may be narrower than the schema, never wider: one line, properties in the schema's order, no unnamed properties if
 * the schema names some, numbers of at most 15 digits.
 */
import { type AutomatonState, automaton, deterministic, type Effort, type Language } from './automaton.ts';
import { choice, Deferred, type Expression, literal, nothing, oneOf, sequence } from './expression.ts';
import { anyValue, colon, listOf, type Member, membersInOrder, mostEffort, number } from './json-values.ts';
import { Machine } from './machine.ts';
import { limitedNumber } from './number-range.ts';
import { formatPatterns, insideJsonString, mostStates, patternLanguage } from './pattern.ts';
import {
  disjoint,
  isOneOf,
  isSchemaObject,
  References,
  readKeywords,
  refuse,
  type Schema,
  typesOf,
} from './schema.ts';
import { anyString, limitedAutomaton, limitedString } from './strings.ts';
import type { Work } from './work.ts';

const quote = literal('"');

/** Limit of nesting, references included. */
const deepest = 64;
/** Limit of `oneOf`: each pair of schemas is compared. */
const mostOneOf = 64;
/** Limits of one schema. What is used through a reference counts each time. */
export const SCHEMA_LIMITS = {
  /** Schemas within it. */
  schemas: 5_000,
  /** Values of all `enum`, and the characters of their JSON. */
  enumValues: 50_000,
  enumCharacters: 500_000,
} as const;
/** Number of schemas, or of values of `enum`, between two pauses. */
const schemasAtOnce = 16;
const valuesAtOnce = 1_024;
/** Ignored keys that are described. */
const mostIgnored = 20;
/**
 * @returns the expression, and the keys of the schema that were ignored because they are no keywords
 * @throws CogVLM2Error `invalid_json_schema` naming keyword, place and reason.
 */
export function* schemaGrammar(schema: unknown): Work<{ expression: Expression; ignored: string[] }> {
  const grammar = new SchemaGrammar(schema);
  const expression = yield* grammar.value(schema, '#', 0);
  return { expression, ignored: grammar.ignored };
}

class SchemaGrammar {
  readonly #ignored = new Set<string>();
  #moreIgnored = 0;
  readonly #targets: References;
  readonly #effort: Effort = { steps: mostEffort };
  #schemas = 0;
  #enumValues = 0;
  #enumCharacters = 0;
  /** Caches by content: many fields of a form have equal schemas. */
  readonly #languages = new Map<string, AutomatonState[]>();
  readonly #numbers = new Map<string, Expression>();
  readonly #strings = new Map<string, Expression>();
  readonly #references = new Map<string, Expression>();

  constructor(root: unknown) {
    this.#targets = new References(root);
  }

  /** Descriptions of the ignored parts; of many, the first ones and the number of the others. */
  get ignored(): string[] {
    return [...this.#ignored, ...(this.#moreIgnored > 0 ? [`the rest (${this.#moreIgnored} keys)`] : [])];
  }

  *value(given: unknown, at: string, depth: number): Work<Expression> {
    const schema = this.#read(given, at, depth);
    if (this.#schemas % schemasAtOnce === 0) yield;
    if (schema === true) return anyValue;
    const inside = depth + 1;
    if (schema.$ref !== undefined) return yield* this.#reference(schema.$ref, at, inside);
    if (schema.allOf !== undefined)
      return yield* this.value(onlyOne(schema.allOf, `${at}/allOf`), `${at}/allOf/0`, inside);
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const branches = schema[keyword];
      if (branches === undefined) continue;
      if (keyword === 'oneOf') yield* this.#checkDisjoint(branches, `${at}/oneOf`);
      const choices: Expression[] = [];
      for (const [i, branch] of branches.entries())
        choices.push(yield* this.value(branch, `${at}/${keyword}/${i}`, inside));
      return choice(...choices);
    }
    const types = typesOf(schema);
    if (schema.const !== undefined || schema.enum !== undefined) {
      const values = yield* this.#literals(schema, types, at);
      if (values === null) refuse(at, 'allows no value');
      return values;
    }
    if (types === null) return anyValue;
    const choices: Expression[] = [];
    for (const type of types) choices.push(yield* this.#ofType(type, schema, at, inside));
    return choice(...choices);
  }

  /** The keywords of a schema, or true for a schema that allows everything. */
  #read(schema: unknown, at: string, depth: number): Schema | true {
    if (depth > deepest) refuse(at, `is nested more than ${deepest} deep`);
    if (++this.#schemas > SCHEMA_LIMITS.schemas)
      refuse(at, `exceeds the limit of ${SCHEMA_LIMITS.schemas} schemas`);
    if (schema === true) return true;
    if (schema === false) refuse(at, 'is false, which no answer can satisfy');
    if (!isSchemaObject(schema)) refuse(at, 'is neither an object nor true');
    return this.#keywords(schema, at);
  }

  /** The values of `const` or `enum`. Null when none is of one of the types. */
  *#literals(schema: Schema, types: readonly string[] | null, at: string): Work<Expression | null> {
    const texts = new Set<string>();
    for (const value of schema.const !== undefined ? [schema.const] : (schema.enum ?? [])) {
      if (!isOneOf(value, types)) continue;
      const text = JSON.stringify(value);
      texts.add(text);
      this.#enumCharacters += text.length;
      if (++this.#enumValues % valuesAtOnce === 0) yield;
      const { enumValues, enumCharacters } = SCHEMA_LIMITS;
      if (this.#enumValues > enumValues) refuseEnum(at, `${enumValues} values`);
      if (this.#enumCharacters > enumCharacters) refuseEnum(at, `${enumCharacters} characters`);
    }
    return texts.size === 0 ? null : oneOf(texts);
  }

  #keywords(schema: Record<string, unknown>, at: string): Schema {
    return readKeywords(schema, at, (describe) => {
      if (this.#ignored.size < mostIgnored) this.#ignored.add(describe());
      else this.#moreIgnored++;
    });
  }

  /** An answer that matches two schemas of `oneOf` is invalid. A grammar cannot check that, so the schemas must be disjoint. */
  *#checkDisjoint(branches: readonly unknown[], at: string): Work<void> {
    if (branches.length > mostOneOf)
      refuse(at, `holds ${branches.length} schemas; up to ${mostOneOf} can be enforced, or more in anyOf`);
    const schemas = branches.map((branch) => {
      const target =
        isSchemaObject(branch) && typeof branch.$ref === 'string' ? this.#target(branch.$ref, at) : branch;
      return isSchemaObject(target) ? this.#keywords(target, at) : {};
    });
    for (const [i, one] of schemas.entries()) {
      yield;
      const other = schemas.findIndex((schema, j) => j > i && !disjoint(one, schema));
      if (other >= 0) refuse(at, `has schemas ${i} and ${other}, which can both match an answer; use anyOf`);
    }
  }

  #target(reference: string, at: string): unknown {
    return this.#targets.target(reference, at);
  }

  *#ofType(type: string, schema: Schema, at: string, depth: number): Work<Expression> {
    switch (type) {
      case 'null':
        return literal('null');
      case 'boolean':
        return oneOf(['true', 'false']);
      case 'integer':
      case 'number':
        return this.#number(type === 'integer', schema, at);
      case 'string':
        return yield* this.#string(schema, at);
      case 'array':
        return yield* this.#array(schema, at, depth);
      default:
        return yield* this.#object(schema, at, depth);
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

  *#string(schema: Schema, at: string): Work<Expression> {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
    const key = JSON.stringify([minLength, maxLength, pattern, format]);
    const strings = this.#strings.get(key) ?? (yield* this.#newString(schema, at));
    this.#strings.set(key, strings);
    return strings;
  }

  *#newString(schema: Schema, at: string): Work<Expression> {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
    if (maxLength < minLength) refuse(at, 'allows no length of the string');
    const isLimited = minLength > 0 || maxLength < Number.POSITIVE_INFINITY;
    const source = pattern ?? formatPatterns.get(format ?? '');
    if (source === undefined) return isLimited ? limitedString(minLength, maxLength) : anyString;
    const place = `${at}/${pattern === undefined ? 'format' : 'pattern'}`;
    const states = yield* this.#states(
      patternLanguage(source, insideJsonString, (reason) => refuse(place, reason)),
      place,
    );
    if (!isLimited) return sequence(quote, automaton(states, quote));
    const limited = limitedAutomaton(states, minLength, maxLength, quote, this.#effort);
    if (typeof limited === 'string') refuse(at, limited);
    return sequence(quote, limited);
  }

  *#array(schema: Schema, at: string, depth: number): Work<Expression> {
    const { minItems = 0, maxItems } = schema;
    const { prefixItems, items } = schema;
    // Before draft 2020-12 a tuple was a list in "items", with "additionalItems" for the rest; the AI SDK writes that.
    const isOld = prefixItems === undefined && Array.isArray(items);
    const [members, rest]: [unknown[], unknown] = isOld
      ? [items, schema.additionalItems]
      : [prefixItems ?? [], items];
    const [memberPlace, restPlace] = isOld ? ['items', 'additionalItems'] : ['prefixItems', 'items'];
    // All members of a tuple are written, and further items only when the schema describes them.
    const first: Expression[] = [];
    for (const [i, item] of members.entries())
      first.push(yield* this.value(item, `${at}/${memberPlace}/${i}`, depth));
    const restMayBe = first.length > 0 ? rest !== undefined && rest !== false : rest !== false;
    const least = Math.max(0, minItems - first.length);
    const most = restMayBe ? (maxItems ?? Number.POSITIVE_INFINITY) - first.length : 0;
    if (most < least) refuse(at, 'allows no number of items');
    const item = most === 0 ? nothing : yield* this.value(rest ?? true, `${at}/${restPlace}`, depth);
    return listOf('[', item, ']', least, most, first);
  }

  *#object(schema: Schema, at: string, depth: number): Work<Expression> {
    const { properties = {}, required = [], additionalProperties = true, propertyNames } = schema;
    const names = yield* this.#namesOf(schema, at, depth);
    const requiredNames = new Set(required);
    if (names.length === 0) {
      if (additionalProperties === false) return literal('{}');
      const key =
        propertyNames === undefined
          ? anyString
          : yield* this.#name(propertyNames, `${at}/propertyNames`, depth);
      if (key === null) refuse(`${at}/propertyNames`, 'allows no name');
      const value = yield* this.value(additionalProperties, `${at}/additionalProperties`, depth);
      return listOf('{', sequence(key, colon, value), '}');
    }
    const members: Member[] = [];
    for (const name of names) {
      const [schema, place] = Object.hasOwn(properties, name)
        ? [properties[name], `${at}/properties/${pointerPart(name)}`]
        : [additionalProperties, `${at}/additionalProperties`];
      const value = yield* this.value(schema, place, depth);
      members.push({ name, value, isRequired: requiredNames.has(name) });
    }
    return membersInOrder(members);
  }

  /** The properties that a schema names and that `propertyNames` allows. */
  *#namesOf(
    { properties = {}, required = [], propertyNames }: Schema,
    at: string,
    depth: number,
  ): Work<string[]> {
    const names = [...new Set([...Object.keys(properties), ...required])];
    if (propertyNames === undefined || names.length === 0) return names;
    const allowed = yield* this.#name(propertyNames, `${at}/propertyNames`, depth);
    const machine = new Machine(allowed ?? choice());
    const isAllowed = (name: string) => machine.accepts(Buffer.from(JSON.stringify(name)));
    const missing = required.find((name) => !isAllowed(name));
    if (missing !== undefined)
      refuse(at, `requires ${JSON.stringify(missing)}, which propertyNames does not allow`);
    return names.filter(isAllowed);
  }

  /** The strings that a schema allows, as names of properties. Null when it allows none. */
  *#name(given: unknown, at: string, depth: number): Work<Expression | null> {
    if (given === false) return null;
    const schema = this.#read(given, at, depth);
    if (schema === true) return anyString;
    const inside = depth + 1;
    if (schema.$ref !== undefined)
      return yield* this.#name(this.#target(schema.$ref, at), schema.$ref, inside);
    if (schema.allOf !== undefined)
      return yield* this.#name(onlyOne(schema.allOf, `${at}/allOf`), `${at}/allOf/0`, inside);
    const keyword = schema.anyOf === undefined ? 'oneOf' : 'anyOf';
    const branches = schema[keyword];
    if (branches !== undefined) {
      if (keyword === 'oneOf') yield* this.#checkDisjoint(branches, `${at}/oneOf`);
      const some: Expression[] = [];
      for (const [i, branch] of branches.entries()) {
        const name = yield* this.#name(branch, `${at}/${keyword}/${i}`, inside);
        if (name !== null) some.push(name);
      }
      return some.length === 0 ? null : choice(...some);
    }
    if (schema.const !== undefined || schema.enum !== undefined)
      return yield* this.#literals(schema, ['string'], at);
    return typesOf(schema)?.includes('string') === false ? null : yield* this.#string(schema, at);
  }

  /** The expression exists before its target is built, so a schema may refer to itself. */
  *#reference(reference: string, at: string, depth: number): Work<Expression> {
    const known = this.#references.get(reference);
    if (known !== undefined) return known;
    let target = nothing;
    const expression = new Deferred(() => target);
    this.#references.set(reference, expression);
    target = yield* this.value(this.#target(reference, at), reference, depth);
    return expression;
  }

  *#states(language: Language, at: string): Work<AutomatonState[]> {
    const key = JSON.stringify(language);
    const states = this.#languages.get(key) ?? (yield* deterministic(language, mostStates, this.#effort));
    if (states === null) {
      refuse(
        at,
        this.#effort.steps < 0
          ? 'makes the automata of the schema need too much computation; remove a pattern, or make it shorter'
          : `needs an automaton that is too large (the limit is ${mostStates} states); make it shorter`,
      );
    }
    this.#languages.set(key, states);
    return states;
  }
}

function refuseEnum(at: string, limit: string): never {
  refuse(at, `exceeds the limit of all enums of a schema, which is ${limit}`);
}

function onlyOne(branches: readonly unknown[], at: string): unknown {
  if (branches.length !== 1)
    refuse(at, `holds ${branches.length} schemas; only one can be enforced at a time`);
  return branches[0];
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
