import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { randomFrom } from '../../src/generate/sampler.ts';
import { run, scriptedModel } from '../generate/scripted.ts';

/**
 * A complete answer to any accepted schema parses and validates, although the model gives random numbers for the 256 bytes: only the
 * mask gives the format. The finish reason shows an incomplete answer.
 */

const leaf: fc.Arbitrary<z.ZodType> = fc.oneof(
  fc.constantFrom<z.ZodType>(z.null(), z.boolean(), z.number(), z.int(), z.iso.date(), z.uuid(), z.email()),
  fc.tuple(fc.integer({ min: -2000, max: 2000 }), fc.nat(3000)).map(([from, size]) =>
    z
      .int()
      .min(from)
      .max(from + size),
  ),
  fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 1, max: 300 })).map(([from, size]) =>
    z
      .number()
      .gt(from)
      .lte(from + size),
  ),
  fc
    .record({
      type: fc.constantFrom(z.number(), z.int()),
      step: fc.option(fc.constantFrom(0.01, 0.05, 0.07, 0.125, 0.25, 2.5, 1, 5, 12, 100)),
      least: fc.option(fc.double({ min: -1000, max: 1000, noNaN: true })),
      more: fc.option(fc.double({ min: 1000, max: 1_000_000, noNaN: true })),
      exclusive: fc.boolean(),
    })
    .map(({ type, step, least, more, exclusive }) => {
      const stepped = step === null ? type : type.multipleOf(step);
      const from = least === null ? stepped : exclusive ? stepped.gt(least) : stepped.min(least);
      if (more === null) return from;
      return exclusive ? from.lt((least ?? 0) + more) : from.max((least ?? 0) + more);
    }),
  fc.tuple(fc.nat(3), fc.nat(4)).map(([least, more]) =>
    z
      .string()
      .min(least)
      .max(least + more),
  ),
  fc.tuple(fc.nat(3), fc.nat(9)).map(([least, more]) =>
    z
      .string()
      .regex(/^(?:[\\"a-f]{2}|日)*\n?$/)
      .min(least)
      .max(least + more),
  ),
  fc
    .uniqueArray(fc.string({ unit: 'grapheme', maxLength: 4 }), { minLength: 1, maxLength: 4 })
    .map((values) => z.enum(values)),
  fc
    .constantFrom(
      '^[A-Z]{2,3}-\\d+$',
      '^(?:\\d|[1-9]\\d|\\w{4})\\.$',
      '^["\\\\]?[^a-z]$',
      '^(a|ab|[b-d]c)+x?$',
    )
    .map((pattern) => z.string().regex(new RegExp(pattern))),
);

const shortName = fc.nat(3).map((most) => z.string().max(most));
const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 4 })
  .filter((name) => name !== '__proto__');

const schemas = fc.letrec<{ any: z.ZodType }>((tie) => {
  const member = fc
    .tuple(tie('any'), fc.boolean())
    .map(([type, optional]) => (optional ? type.optional() : type));
  return {
    any: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      leaf,
      fc.dictionary(key, member, { maxKeys: 4, noNullPrototype: true }).map((shape) => z.strictObject(shape)),
      fc.tuple(tie('any'), fc.nat(2), fc.nat(2)).map(([item, least, more]) =>
        z
          .array(item)
          .min(least)
          .max(least + more),
      ),
      fc
        .array(tie('any'), { minLength: 1, maxLength: 3 })
        .map(([first, ...items]) => z.tuple([first!, ...items])),
      fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((choices) => z.union(choices)),
      fc.tuple(shortName, tie('any')).map(([name, value]) => z.record(name, value)),
    ),
  };
});

test('a complete answer parses and validates with any weights', { timeout: 120_000 }, async () => {
  let complete = 0;
  await fc.assert(
    fc.asyncProperty(schemas.any, fc.nat(1000), async (schema, seed) => {
      const random = randomFrom(seed);
      const { model } = scriptedModel('', () => Float32Array.from({ length: 256 }, () => random() * 6));
      const { answer } = await run(model, {
        format: { type: 'json_schema', schema: z.toJSONSchema(schema) },
        maxTokens: 200,
        temperature: 1,
        seed,
      });
      if (answer.finishReason === 'length') return;
      complete++;
      expect(answer.finishReason).toBe('stop');
      const parsed = schema.safeParse(JSON.parse(answer.text));
      expect(parsed.error?.message, answer.text).toBeUndefined();
    }),
    { numRuns: Number(process.env.COGVLM2_TEST_RUNS ?? 25) },
  );
  expect(complete).toBeGreaterThan(12);
});
