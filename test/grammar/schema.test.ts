import { describe, expect, it, test } from 'vitest';
import { answerGrammar, answerGrammarInTurns } from '../../src/grammar/answer-grammar.ts';
import { GrammarMasks } from '../../src/grammar/masks.ts';
import { caught } from '../checkpoint/caught.ts';
import { byteTokenizer, endOfText } from '../generate/scripted.ts';

const masks = new GrammarMasks(byteTokenizer, 256, [endOfText]);

/** True if a text is a complete answer to the schema. */
async function accepts(schema: object, answer: string): Promise<boolean> {
  const mask = await masks.start(answerGrammar({ type: 'json_schema', schema }));
  const allowed = (id: number) => {
    const logits = new Float32Array(256);
    mask.apply(logits);
    return logits[id] === 0;
  };
  for (const byte of Buffer.from(answer)) {
    if (!allowed(byte)) return false;
    mask.accept(byte);
    await mask.prepare();
  }
  return mask.done || allowed(endOfText);
}

const list = {
  $ref: '#/$defs/list',
  $defs: {
    list: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/list' }, { type: 'null' }] } } },
  },
};

describe('a schema accepts the right texts only', () => {
  test.each<[object, string[], string[]]>([
    [
      { type: 'integer', minimum: -7, maximum: 123 },
      ['0', '-7', '9', '99', '123'],
      ['-8', '124', '05', '-0', '1.0'],
    ],
    [{ type: 'number', exclusiveMinimum: 0 }, ['0.5', '12.50', '3', '3.0'], ['0', '0.0', '-1', '05', '1.']],
    [{ type: 'number', minimum: -1, maximum: 1 }, ['-0.25', '1.0', '0', '-1'], ['1.1', '-1.5', '2', '-0.0']],
    [
      { type: 'number', minimum: 0.5, exclusiveMaximum: 19.99 },
      ['0.5', '0.50', '1', '12.75', '19.98999', '9'],
      ['0', '0.49', '-1', '19.99', '19.990', '20', '1e1', '00.5'],
    ],
    [
      { type: 'number', exclusiveMinimum: -0.1, maximum: 1e-7 },
      ['-0.0999', '0', '0.0000001', '-0.00000000000001'],
      ['-0.1', '-0.10', '0.00000011', '-0', '1e-7'],
    ],
    // 15 digits in total: with one more, the double could equal the bound.
    [
      { type: 'number', exclusiveMaximum: 9_999_999_999 },
      ['9999999998.99999', '-12345.6789'],
      ['9999999999', '9999999998.999999'],
    ],
    [
      { type: 'number', exclusiveMinimum: 0.1 + 0.2 },
      ['0.30000000000001', '0.31'],
      ['0.3', '0.30000000000000'],
    ],
    [
      { type: 'number', multipleOf: 0.01 },
      ['19.99', '-0.07', '0', '5', '0.1', '-3', '1234567890123.45'],
      ['19.999', '0.010', '1.', '-0.00', '12345678901234.56'],
    ],
    [
      { type: 'number', multipleOf: 0.05, minimum: 0.1, maximum: 12.3 },
      ['0.1', '0.10', '0.95', '7', '12.3', '12.25'],
      ['0.05', '0.12', '12.35', '13', '0'],
    ],
    [{ type: 'number', multipleOf: 0.07 }, ['2.03', '-0.7', '7', '0'], ['2.04', '1', '0.1', '6.9']],
    [{ type: 'number', multipleOf: 0.125 }, ['0.125', '3.5', '-2'], ['0.1250', '0.12', '3.52']],
    [{ multipleOf: 2.5, maximum: 10 }, ['2.5', '10.0', '-5'], ['10.5', '3', '2.50']],
    [
      { type: 'integer', multipleOf: 5, minimum: -7, exclusiveMaximum: 100 },
      ['-5', '0', '5', '95'],
      ['-10', '7', '100', '5.0'],
    ],
    [{ type: 'integer', multipleOf: 7 }, ['7', '-14', '700000000000007'], ['8', '-13', '0.7']],
    [{ type: 'integer', multipleOf: 1000 }, ['0', '5000', '-12000'], ['500', '1001']],
    [{ type: 'integer', multipleOf: 86_400, minimum: 0, maximum: 604_800 }, ['86400', '604800'], ['86401']],
    [{ type: 'integer', multipleOf: 1.5, minimum: 0.5 }, ['3', '6'], ['0', '1', '4', '1.5']],
    [{ type: 'number', multipleOf: 1.234567, minimum: 0, maximum: 10 }, ['2.469134', '0'], ['1.23']],
    [{ type: 'number', multipleOf: 1e-20, maximum: 0.5 }, ['0.12345678901234', '-3'], ['0.6']],
    [
      { type: 'string', minLength: 1, maxLength: 2 },
      ['"é"', '"日本"', '"\\n\\u00e9"', '"🙂"'],
      ['""', '"abc"', '"\t"', '"a🙂"', '"🙂🙂"', '"\\n\\u00e9a"'],
    ],
    // "🙂" is one character in JSON Schema, and two UTF-16 units in JavaScript. An answer must be valid for both.
    [{ type: 'string', minLength: 2, maxLength: 2 }, ['"ab"', '"日\\u672c"'], ['"🙂"', '"🙂a"']],
    [{ type: 'string', minLength: 2, maxLength: 3 }, ['"🙂a"', '"abc"'], ['"🙂"', '"🙂🙂"']],
    [
      { type: 'string', maxLength: 200 },
      [
        '""',
        `"${'a'.repeat(200)}"`,
        `"${'日'.repeat(200)}"`,
        `"${'\\n\\u00e9'.repeat(100)}"`,
        `"${'🙂'.repeat(100)}"`,
      ],
      [
        `"${'a'.repeat(201)}"`,
        `"${'日'.repeat(201)}"`,
        `"${'\\n\\u00e9'.repeat(100)}a"`,
        `"${'🙂'.repeat(100)}a"`,
      ],
    ],
    [
      { type: 'string', minLength: 200 },
      [`"${'é'.repeat(200)}"`, `"${'a'.repeat(300)}"`],
      [`"${'é'.repeat(199)}"`],
    ],
    [
      { items: { type: 'null' }, minItems: 100, maxItems: 5000 },
      [`[${'null,'.repeat(99)}null]`],
      [`[${'null,'.repeat(98)}null]`],
    ],
    [
      { type: 'string', pattern: '^(?:ab)+$', minLength: 3, maxLength: 7 },
      ['"abab"', '"ababab"'],
      ['"ab"', '"abababab"', '"aba"'],
    ],
    [
      { type: 'string', pattern: '^[\\\\"\\n日]*x?$', minLength: 2, maxLength: 3 },
      ['"\\\\\\""', '"日日x"', '"\\n\\n\\n"'],
      ['"\\\\"', '"日日日x"', '"\\n\\n\\n\\n"', '"x"'],
    ],
    [
      { type: 'string', format: 'email', maxLength: 12 },
      ['"ab@cd.example"'.replace('ample', '')],
      ['"abcde@fgh.example"'],
    ],
    [{ type: 'string', minLength: 2 }, ['"ab🙂"'], ['"a"']],
    [{ type: 'string' }, ['""', '"🙂 \\" \\\\ /"'], ['"\\ud800"', '"\\x"', 'a']],
    [{ pattern: '^(?:\\d|[1-9]\\d)\\.$' }, ['"5."', '"55."'], ['"05."', '"5"']],
    [{ pattern: '[一-龥]$' }, ['"x日"', '"龥"'], ['"日x"', '"é"']],
    [{ pattern: '^a"\\\\$' }, ['"a\\"\\\\"'], ['"a"']],
    [
      { enum: ['a', 'ab', 1, null, { k: [true] }] },
      ['"a"', '"ab"', '1', 'null', '{"k":[true]}'],
      ['"b"', '[true]'],
    ],
    [{ type: 'string', enum: ['a', 1] }, ['"a"'], ['1']],
    [{ type: ['string', 'null'], maxLength: 1 }, ['"a"', 'null'], ['"ab"', '1']],
    [
      { items: { type: 'boolean' }, minItems: 1, maxItems: 2 },
      ['[true]', '[true, false]'],
      ['[]', '[true,true,true]'],
    ],
    [
      { prefixItems: [{ const: 1 }], items: { const: 2 }, maxItems: 2 },
      ['[1]', '[1,2]'],
      ['[]', '[1,2,2]', '[2]'],
    ],
    // Tuples of draft 7.
    [
      { items: [{ const: 1 }, { const: 2 }], additionalItems: false, minItems: 2, maxItems: 2 },
      ['[1,2]'],
      ['[1]', '[1,2,3]', '[2,1]'],
    ],
    [{ items: [{ const: 1 }], additionalItems: { const: 2 } }, ['[1]', '[1,2,2]'], ['[]', '[1,1]']],
    [
      { properties: { a: { const: 1 }, b: { const: 2 }, c: { const: 3 } }, required: ['b'] },
      ['{"b":2}', '{"a":1,"b":2}', '{"b":2, "c":3}', '{"a": 1, "b": 2, "c": 3}'],
      ['{}', '{"a":1}', '{"b":2,"a":1}', '{"b":2,}', '{"b":2,"d":4}'],
    ],
    [
      { type: 'object', additionalProperties: { type: 'null' } },
      ['{}', '{"x":null,"y":null}'],
      ['{"x":1}', '{"x"}'],
    ],
    [
      { type: 'object', propertyNames: { enum: ['p'] }, additionalProperties: { const: 1 } },
      ['{"p":1}'],
      ['{"q":1}', '{"p":2}'],
    ],
    [list, ['{"next":{"next":null}}', '{}'], ['{"next":1}', 'null']],
    [{ oneOf: [{ const: 1 }, { type: 'string' }] }, ['1', '"x"'], ['2']],
    [
      { type: 'string', format: 'date' },
      ['"2026-11-24"', '"2026-01-31"', '"2026-04-30"', '"2024-02-29"', '"2000-02-29"'],
      ['"2026-13-01"', '"2026-04-31"', '"2026-02-29"', '"1900-02-29"', '"2026-01-00"', '"today"'],
    ],
    [
      { type: 'string', format: 'date-time' },
      ['"2026-12-31T23:59:59Z"', '"2026-12-31T23:59:59.5+08:00"'],
      ['"2026-12-31T24:00:00Z"', '"2026-12-31T23:59:59"', '"2026-12-31"'],
    ],
    [
      { type: 'string', format: 'email' },
      ['"Li.Wei+bills@my-shop.Example.com"'],
      ['"li"', '"li@shop"', '".li@shop.com"', '"li..wei@shop.com"'],
    ],
    [
      { type: 'string', format: 'uri' },
      ['"https://my-shop.com"', '"http://3com.com:8080/A_b/c%20d?id=7&x=/#top"'],
      ['"ftp://shop.com"', '"https://shop.com/%2"', '"https://shop.com/a b"', '"https://-shop.com"'],
    ],
    [
      { type: 'string', format: 'uuid' },
      ['"018F3C5E-7b1a-7cde-9abc-0123456789ab"', '"6ba7b810-9dad-11d1-80b4-00c04fd430c8"'],
      ['"018f3c5e-7b1a-0cde-9abc-0123456789ab"', '"018f3c5e7b1a7cde9abc0123456789ab"'],
    ],
    [{}, ['{"a":[1,"b",null]}', '-1.5e3', 'true'], ['nothing']],
  ])('%j', async (schema, right, wrong) => {
    for (const answer of right) expect(await accepts(schema, answer), answer).toBe(true);
    for (const answer of wrong) expect(await accepts(schema, answer), answer).toBe(false);
  });

  test('one space may precede an answer', async () => {
    expect(await accepts({ const: 1 }, ' 1')).toBe(true);
    expect(await accepts({ const: 1 }, '  1')).toBe(false);
  });
});

describe('a schema that cannot be enforced is refused with the place and the reason', () => {
  test.each<[object, ...string[]]>([
    [{ properties: { a: { type: 'array', uniqueItems: true } } }, '#/properties/a', '"uniqueItems"'],
    [
      { type: 'integer', multipleOf: 86_400 },
      'multipleOf 86400, which takes up to',
      'but only 30000 are left',
    ],
    [{ type: 'number', multipleOf: 1.234567 }, 'multipleOf 1.234567, which takes up to'],
    [{ type: 'number', multipleOf: 0 }, 'a wrong multipleOf'],
    [{ type: 'number', multipleOf: -0.5 }, 'a wrong multipleOf'],
    [{ type: 'integer', multipleOf: 5, minimum: 6, maximum: 9 }, 'no whole number'],
    [{ type: 'integer', minimum: 0.1, maximum: 0.9 }, 'no whole number'],
    [{ type: 'number', multipleOf: 0.01, exclusiveMinimum: -0.01, exclusiveMaximum: 0 }, 'no number'],
    [{ type: 'number', exclusiveMinimum: 0, maximum: 1e-20 }, 'no number of up to 15 digits'],
    [{ type: 'number', minimum: -0.5, exclusiveMaximum: -3, multipleOf: 12 }, 'no number'],
    [{ not: {} }, '"not"'],
    [{ type: 'array', uniqueItems: true }, '"uniqueItems", which cannot be enforced'],
    [{ type: 'object', propertyNames: { type: 'integer' } }, '#/propertyNames allows no name'],
    [
      { type: 'object', required: ['b'], propertyNames: { pattern: '^a' } },
      'requires "b", which propertyNames does not allow',
    ],
    [{ type: 'strin' }, 'a wrong type: must be one of null, boolean, '],
    [{ type: 'string', minLength: -1 }, 'a wrong minLength'],
    [{ type: 'string', minLength: 0.5 }, 'a wrong minLength'],
    [{ type: 'string', pattern: '^.{5}$', maxLength: 4 }, 'no string length that its pattern allows'],
    [
      { type: 'string', pattern: '^(?:ab)*$', minLength: 3, maxLength: 3 },
      'no string length that its pattern allows',
    ],
    [{ type: 'string', pattern: '\\v', maxLength: 4 }, 'pattern has control characters'],
    [{ type: 'string', pattern: 'a', maxLength: 10_000_000 }, 'needs too much computation'],
    [{ type: 'string', minLength: 3, maxLength: 2 }, 'no length'],
    [{ type: 'integer', minimum: 3, maximum: 2 }, 'no whole number'],
    [{ type: 'array', minItems: 3, maxItems: 2 }, 'no number of items'],
    [{ type: 'null', enum: [1] }, 'allows no value'],
    [{ pattern: '(?=a)b' }, '#/pattern', 'has a look-ahead'],
    [{ pattern: '\\bword' }, '"\\b"'],
    [{ pattern: '(a' }, 'unmatched'],
    [{ pattern: '^.{500}$' }, 'too often'],
    [{ pattern: '🙂' }, 'beyond U+FFFF'],
    [{ anyOf: [{ type: 'null' }], minLength: 1 }, '"minLength" beside "anyOf"'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'schemas 0 and 1', 'use anyOf'],
    [{ allOf: [{ type: 'string' }, { maxLength: 1 }] }, '#/allOf', '2 schemas'],
    [{ $ref: 'https://example.com/a.json' }, 'only references within the schema'],
    [{ $ref: '#/$defs/none' }, 'does not exist'],
    [{ $ref: '#/%' }, 'is not percent-encoded'],
    [{ $ref: '#' }, 'refers to itself'],
    [{ properties: { a: false }, required: ['a'] }, '#/properties/a is false'],
    [[] as object, '# is neither an object nor true'],
  ])('%j', (schema, ...parts) => {
    const error = caught(() => answerGrammar({ type: 'json_schema', schema }));
    expect(error.code).toBe('invalid_json_schema');
    for (const part of parts) expect(error.message).toContain(part);
  });

  test('a schema nested without end', () => {
    let schema: object = { type: 'null' };
    for (let i = 0; i < 100; i++) schema = { type: 'array', items: schema };
    expect(caught(() => answerGrammar({ type: 'json_schema', schema })).message).toContain(
      'more than 64 deep',
    );
  });
});

describe('names of properties', () => {
  const $defs = { name: { enum: ['a', 'b', 1] }, short: { type: 'string', maxLength: 2 } };

  test.each<[object, string[], string[]]>([
    [{ enum: ['a', 'b'] }, ['{}', '{"a":1,"b":2}'], ['{"c":1}', '{"ab":1}']],
    [{ $ref: '#/$defs/name' }, ['{"b": 1}'], ['{"c":1}', '{1:1}']],
    [{ anyOf: [{ $ref: '#/$defs/short' }, { const: 'long' }] }, ['{"ab":1,"long":2}'], ['{"abc":1}']],
    [{ oneOf: [{ const: 'a' }, { const: 'b' }] }, ['{"a":1}'], ['{"c":1}']],
    [{ allOf: [{ $ref: '#/$defs/short' }] }, ['{"ab":1}'], ['{"abc":1}']],
    [{ type: ['string', 'null'], pattern: '^x' }, ['{"xy":1}'], ['{"y":1}', '{null:1}']],
    [{}, ['{"any":1}'], ['{null:1}']],
    [true as unknown as object, ['{"any":1}'], ['{null:1}']],
  ])('%j', async (propertyNames, right, wrong) => {
    const schema = { type: 'object', propertyNames, additionalProperties: { type: 'integer' }, $defs };
    for (const answer of right) expect(await accepts(schema, answer), answer).toBe(true);
    for (const answer of wrong) expect(await accepts(schema, answer), answer).toBe(false);
  });

  test('apply to properties with their own schema', async () => {
    const schema = { properties: { ab: true, b: true }, propertyNames: { pattern: '^a' } };
    expect(await accepts(schema, '{"ab":1}')).toBe(true);
    expect(await accepts(schema, '{"b":1}')).toBe(false);
  });
});

describe('keywords without an effect are ignored, and named', () => {
  const kind = (name: string, more: object) => ({
    type: 'object',
    properties: { kind: { const: name }, ...more },
    required: ['kind', ...Object.keys(more)],
  });

  test.each<[string, object, string, string[]]>([
    [
      'discriminator',
      {
        oneOf: [kind('cat', { lives: { type: 'integer' } }), kind('dog', { tail: { type: 'boolean' } })],
        discriminator: { propertyName: 'kind', mapping: { cat: '#/x' } },
      },
      '{"kind":"dog","tail":true}',
      [],
    ],
    [
      'annotations of OpenAPI',
      { type: 'integer', example: 3, externalDocs: { url: 'u' }, xml: { name: 'n' } },
      '7',
      [],
    ],
    ['an extension', { type: 'integer', 'x-order': 1 }, '7', []],
    ['a format of numbers', { type: 'integer', format: 'int64' }, '7', ['format "int64" at #']],
    ['a format alone', { format: 'int64' }, 'null', ['format "int64" at #']],
    [
      'a format beside an enum',
      { type: 'string', enum: ['a'], format: 'colour' },
      '"a"',
      ['format "colour" at #'],
    ],
    [
      'a format with a length',
      { properties: { key: { type: 'string', format: 'password', maxLength: 2 } }, required: ['key'] },
      '{"key":"ab"}',
      ['format "password" at #/properties/key'],
    ],
    ['an unknown key', { type: 'string', toString: 1 }, '"a"', ['"toString" at #']],
    [
      'a misspelt keyword',
      { type: 'string', minLenght: 3 },
      '"a"',
      ['"minLenght" at # (did you mean minLength?)'],
    ],
    ['a key beside anyOf', { anyOf: [{ type: 'null' }], nullable: true }, 'null', ['"nullable" at #']],
  ])('%s', async (_, schema, answer, ignored) => {
    expect(answerGrammar({ type: 'json_schema', schema }).ignored).toEqual(ignored);
    expect(await accepts(schema, answer)).toBe(true);
  });
});

describe('the cost of a schema is limited', () => {
  const many = <T>(length: number, of: (i: number) => T) => Array.from({ length }, (_, i) => of(i));

  it('follows a chain of references once', async () => {
    const last = 2_000;
    const properties = Object.fromEntries(
      many(last + 1, (i) => [`p${i}`, i === last ? { type: 'null' } : { $ref: `#/properties/p${i + 1}` }]),
    );
    expect(await accepts({ type: 'object', properties }, '{"p0":null,"p7":null}')).toBe(true);
  });

  it('names the first of many ignored keys', () => {
    const schema = { type: 'null', ...Object.fromEntries(many(3_000, (i) => [`key${i}`, 1])) };
    const { ignored } = answerGrammar({ type: 'json_schema', schema });
    expect(ignored).toHaveLength(21);
    expect(ignored.at(-1)).toBe('the rest (2980 keys)');
  });
  const propertiesOf = (schemas: object[]) => ({
    type: 'object',
    properties: Object.fromEntries(schemas.map((schema, i) => [`p${i}`, schema])),
    required: schemas.map((_, i) => `p${i}`),
  });
  /** Ten objects with names from the list. */
  const namesFrom = (names: string[]) => ({
    ...propertiesOf(many(10, () => ({ type: 'object', propertyNames: { $ref: '#/$defs/names' } }))),
    $defs: { names: { enum: names } },
  });
  const chain = many(200, (i) => [`d${i}`, { type: 'array', items: { $ref: `#/$defs/d${i + 1}` } }] as const);
  const circle: Record<string, unknown> = { type: 'object' };
  circle.properties = { again: circle };

  test.each<[string, object, string]>([
    ['repetitions of repetitions', { pattern: '^(((a{400}){400}){400}){400}$' }, '400 states'],
    [
      'an automaton of many moves',
      { pattern: `^(?:[${many(110, (i) => `\\u${(0x1000 + 2 * i).toString(16)}`).join('')}]?){400}$` },
      'characters; patterns of up to 500',
    ],
    [
      'states of states',
      { pattern: `^(?:${many(40, (i) => `(?:[${String.fromCharCode(97 + (i % 26))}-z]x?)?`).join('')}){9}$` },
      '#/pattern',
    ],
    ['a choice that doubles with each character', { pattern: '^[ab]*a[ab]{300}$' }, '400 states'],
    [
      'many patterns',
      propertiesOf(many(20, (i) => ({ pattern: `^[a-z]{0,${300 + i}}$` }))),
      'need too much computation',
    ],
    [
      'many remainders',
      propertiesOf(many(10, (i) => ({ type: 'integer', multipleOf: 500 + i }))),
      '#/properties/p2 has multipleOf 502',
    ],
    ['many schemas', { anyOf: many(5_001, () => ({})) }, 'limit of 5000 schemas'],
    ['a long schema', { enum: many(20_000, (i) => `value ${i}`) }, '131072'],
    [
      'many values that are used several times',
      namesFrom(many(6_000, (i) => `${i}`)),
      'which is 50000 values',
    ],
    [
      'long values that are used several times',
      namesFrom(many(100, (i) => `${i}`.padEnd(600))),
      'which is 500000 characters',
    ],
    ['more schemas than can be compared', { oneOf: many(65, (i) => ({ const: i })) }, '65 schemas'],
    [
      'a chain of references',
      { $defs: { ...Object.fromEntries(chain), d200: {} }, $ref: '#/$defs/d0' },
      '64 deep',
    ],
    ['a value that is not JSON', circle, 'cannot be written as JSON'],
  ])('%s', (_, schema, part) => {
    const error = caught(() => answerGrammar({ type: 'json_schema', schema }));
    expect(error.code).toBe('invalid_json_schema');
    expect(error.message).toContain(part);
  });

  test('an enum may have all values that fit', async () => {
    const values = many(20_000, (i) => i);
    expect(await accepts({ enum: values }, '19999')).toBe(true);
    expect(await accepts({ enum: values }, '199')).toBe(true);
    expect(await accepts({ enum: values }, '20000')).toBe(false);
    const words = many(9_000, (i) => `word ${i}`);
    expect(await accepts({ enum: words }, '"word 8999"')).toBe(true);
    expect(await accepts({ enum: words }, '"word 89990"')).toBe(false);
  });

  test('a grammar that is built in steps equals the grammar that is built at once', async () => {
    const format = {
      type: 'json_schema',
      schema: propertiesOf(many(40, (i) => ({ enum: [i, i + 1] }))),
    } as const;
    const made = await Promise.all([answerGrammarInTurns(format), answerGrammarInTurns(format)]);
    expect(made[0]).toBe(made[1]);
    expect(answerGrammar(format)).toBe(made[0]);
    await expect(answerGrammarInTurns({ type: 'json_schema', schema: { not: {} } })).rejects.toThrow('"not"');
  });

  test('a form with many fields is far below the limits', () => {
    const formats = ['date', 'time', 'date-time', 'email', 'uri', 'uuid', 'ipv4'].map((format) => ({
      type: 'string',
      format,
    }));
    const numbers = [
      ...many(10, (i) => ({ type: 'integer', minimum: 0, maximum: 10 ** i })),
      ...many(30, (i) => ({ type: 'number', minimum: i / 10, multipleOf: 0.01 })),
      ...[5, 0.05, 0.25, 0.125].map((multipleOf) => ({ type: 'number', multipleOf })),
    ];
    const texts = many(100, () => ({ type: 'string' }));
    const choices = many(20, (i) => ({ enum: many(20, (j) => `choice ${j} of ${i}`) }));
    const limited = [
      { type: 'string', minLength: 1 },
      ...many(100, (i) => ({ type: 'string', maxLength: 10 * i })),
      ...many(100, () => ({ type: 'string', format: 'date-time' })),
      { type: 'string', format: 'email', maxLength: 320 },
      { type: 'string', format: 'uri', maxLength: 2000 },
    ];
    const schema = propertiesOf([...formats, ...numbers, ...texts, ...choices, ...limited]);
    expect(() => answerGrammar({ type: 'json_schema', schema })).not.toThrow();
  });
});

test('a vocabulary without the tokens for a schema gives an error', async () => {
  const deaf = { ...byteTokenizer, isSpecial: (id: number) => id === 0x37 || id <= endOfText };
  const others = new GrammarMasks(deaf as typeof byteTokenizer, 256, [endOfText]);
  const mask = await others.start(answerGrammar({ type: 'json_schema', schema: { const: 67 } }));
  mask.accept(0x36);
  await expect(mask.prepare()).rejects.toThrow('has no token that the schema allows next');
});
