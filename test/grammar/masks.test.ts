import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { answerGrammar } from '../../src/grammar/answer-grammar.ts';
import { Machine, type MachineState } from '../../src/grammar/machine.ts';
import { GrammarMasks, type TokenMask } from '../../src/grammar/masks.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';

/** Masks for vocabularies with tokens of several bytes. */

const eos = 2;

/** Ids 0 to 2 are special, then the 256 bytes, then these. */
function vocabularyOf(tokens: readonly (string | Uint8Array)[]) {
  const bytes = [
    ...['<pad>', '<bos>', '<eos>'].map((name) => Buffer.from(name)),
    ...Array.from({ length: 256 }, (_, byte) => Buffer.of(byte)),
    ...tokens.map((token) => Buffer.from(token)),
  ];
  const tokenizer = {
    vocabSize: bytes.length,
    bytesOf: (id: number) => bytes[id]!,
    isSpecial: (id: number) => id <= eos,
  } as unknown as Tokenizer;
  // There may be more logits than tokens.
  return { bytes, masks: new GrammarMasks(tokenizer, bytes.length + 5, [eos]) };
}

const grammarOf = (schema: object) => answerGrammar({ type: 'json_schema', schema });

/** The allowed ids. */
function allowedBy(mask: TokenMask, vocabSize: number): number[] {
  const logits = new Float32Array(vocabSize);
  mask.apply(logits);
  return [...logits.keys()].filter((id) => logits[id] === 0);
}

describe('a token is allowed if its bytes are allowed one after the other', () => {
  const pieces = [
    '"',
    '",',
    '","',
    '":',
    '": "',
    '"}',
    '}]',
    '{"',
    '[[',
    ',"',
    '"a"',
    '\\',
    '\\n',
    '\\"',
    '\\u00',
    'e9',
    'é',
    '日本',
  ];
  const words = [
    'a',
    'ab',
    'abc',
    'abcdefgh',
    ' the',
    '日',
    '🙂',
    '🙂🙂',
    '1',
    '12',
    '-1',
    '0.5',
    'null',
    'true',
    'null,null',
    '    ',
  ];
  const halves = [
    Buffer.from('日').subarray(0, 2),
    Buffer.from('🙂').subarray(1),
    Buffer.from('🙂a').subarray(2),
  ];
  const { bytes, masks } = vocabularyOf([...pieces, ...words, ...words, ...halves, 'x'.repeat(40)]);

  test.each<[object]>([
    [{ type: 'string', minLength: 3, maxLength: 9 }],
    [{ type: 'string', minLength: 30, maxLength: 90 }],
    [{ type: 'string', minLength: 60, maxLength: 60 }],
    [{ type: 'array', items: { type: 'string', maxLength: 2 }, minItems: 2, maxItems: 60 }],
    [{ type: 'array', items: { enum: [null, 1, 12] }, minItems: 50, maxItems: 55 }],
    [{ properties: { a: { type: 'string', maxLength: 5 }, 日: { type: 'number' } }, required: ['日'] }],
    [
      {
        anyOf: [
          { type: 'string', maxLength: 44 },
          { type: 'string', pattern: '^(?:ab)*$', maxLength: 80 },
        ],
      },
    ],
    [{ type: 'string', pattern: '^[^0-9]*$', minLength: 5, maxLength: 50 }],
    [{}],
  ])('%j', async (schema) => {
    const grammar = grammarOf(schema);
    const machine = new Machine(grammar.expression);
    const random = randomFrom(3);
    for (let round = 0; round < 3; round++) {
      const mask = await masks.start(grammar);
      let state: MachineState = machine.start;
      for (let step = 0; step < 40 && !mask.done; step++) {
        const after = (id: number) =>
          bytes[id]!.reduce<MachineState | null>((at, byte) => at && machine.step(at, byte), state);
        const expected = [...bytes.keys()].filter((id) =>
          id <= eos ? id === eos && state.accepts : after(id),
        );
        expect(allowedBy(mask, bytes.length + 5)).toEqual(expected);
        const going = expected.filter((id) => id !== eos);
        // Only a few long tokens, which match many bytes.
        const long = going.filter((id) => bytes[id]!.length > 1);
        const choice = long.length > 0 && random() < 0.8 ? long : going;
        const id = choice[Math.floor(random() * choice.length)];
        if (id === undefined) break;
        mask.accept(id);
        await mask.prepare();
        state = after(id)!;
      }
    }
  });

  test('a mask forbids texts that are no answers', async () => {
    const mask = await masks.start(grammarOf({ type: 'null' }));
    expect(() => mask.accept(3 + 0x78)).toThrow('forbids');
    expect(() => mask.accept(eos)).toThrow('forbids');
  });
});

describe('other work of the process continues', () => {
  const random = randomFrom(5);
  const letter = () => String.fromCharCode(0x61 + Math.floor(random() * 26));
  const word = () => Array.from({ length: 1 + Math.floor(random() * 9) }, letter).join('');
  const large = vocabularyOf(Array.from({ length: 20_000 }, word));
  // Each text has dozens of parses at the same time.
  const heavy = (from: number) =>
    grammarOf({
      anyOf: Array.from({ length: 100 }, (_, i) => ({
        type: 'string',
        minLength: from + i,
        maxLength: 500 + i,
      })),
    });

  /** How often other work ran during this work. */
  async function turnsIn(work: () => Promise<unknown>): Promise<number> {
    let turns = 0;
    let isOver = false;
    const tick = () => {
      turns++;
      if (!isOver) setImmediate(tick);
    };
    setImmediate(tick);
    await work().finally(() => {
      isOver = true;
    });
    return turns;
  }

  test('during the first mask of a vocabulary, and during a slow schema', async () => {
    expect(await turnsIn(() => large.masks.start(grammarOf({ const: 1 })))).toBeGreaterThan(30);
    let mask: TokenMask | undefined;
    expect(
      await turnsIn(async () => {
        mask = await large.masks.start(heavy(0));
        mask.accept(3 + 0x22);
        await mask.prepare();
      }),
    ).toBeGreaterThan(10);
  });

  test('an aborted answer needs no mask', async () => {
    const stop = new AbortController();
    const mask = await large.masks.start(heavy(1));
    mask.accept(3 + 0x22);
    const turns = await turnsIn(async () => {
      const looking = mask.prepare(stop.signal);
      stop.abort();
      await expect(looking).rejects.toThrow('aborted');
    });
    expect(turns).toBeLessThan(4);
  });
});

test('the cache of a grammar is bounded', () => {
  const machine = new Machine(grammarOf({ type: 'array' }).expression);
  for (let round = 0; round < 3; round++) {
    // Each depth is a new stack.
    let state: MachineState | null = machine.start;
    for (let depth = 0; depth < 3000; depth++) state = state && machine.step(state, 0x5b);
    expect(state).not.toBeNull();
    const reached = new Set([machine.start]);
    for (const { next } of reached) for (const to of next) if (to) reached.add(to);
    expect(reached.size).toBeLessThan(2000);
  }
});
