import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { fieldsOf, objectOf } from '../../src/generate/extract.ts';
import { imageFile } from '../../src/image/source.ts';
import { CogVLM2 } from '../../src/index.ts';
import { rejected } from '../checkpoint/caught.ts';
import { tinyModelConfig, writeTinyModel } from '../model/tiny-model.ts';

describe('fieldsOf', () => {
  test('the question is the description, or the name in words', () => {
    const fields = fieldsOf(
      z.object({
        total: z.number().describe('What is the total?'),
        unitPrice: z.number(),
        due_date: z.string(),
      }),
    );
    expect(fields.map(({ question }) => question)).toEqual([
      'What is the total?',
      'What is the unit price?',
      'What is the due date?',
    ]);
  });

  test('strings are answered as text with their pattern or choices, other types as JSON', () => {
    const fields = fieldsOf(
      z.object({
        shop: z.string(),
        code: z.string().regex(/^[A-Z]{2}$/),
        size: z.enum(['S', 'M']),
        inside: z.string().regex(/[0-9]/),
        paid: z.boolean(),
        note: z.string().nullable(),
      }),
    );
    expect(fields.map(({ format, isJson }) => [format?.type, isJson])).toEqual([
      [undefined, false],
      ['regex', false],
      ['choice', false],
      [undefined, false],
      ['json_schema', true],
      ['json_schema', true],
    ]);
  });

  test('a type without a JSON schema is refused', () => {
    expect(() => fieldsOf(z.object({ when: z.date() }))).toThrow('no JSON schema');
  });
});

describe('extractFields with the demo model', () => {
  const Form = z.object({
    team: z.string().max(24),
    weight: z.int().min(0),
    date: z.iso.date(),
    order: z.string().regex(/^[A-Z]{1,4}-\d{1,6}$/),
  });
  const image = 'examples/images/form.png';

  test('gives the object, and the answer of each field', async () => {
    using model = await CogVLM2.load({ device: 'cpu' });
    const { value, answers } = await model.extractFields(image, Form);
    const weight: number = value.weight;
    expect(value).toEqual({ team: 'FIRE', weight, date: '2024-10-19', order: 'EWR-5153' });
    expect(weight).toBe(623);
    expect(Object.keys(answers)).toEqual(['team', 'weight', 'date', 'order']);
    expect(answers.team?.text).toBe('FIRE');

    const cut = await rejected(model.extractFields(image, Form, { maxTokens: 1 }));
    expect(cut.code).toBe('answer_incomplete');
    expect(cut.message).toContain('cut after 1 tokens');

    const refused = await rejected(model.extractFields(image, z.object({ team: z.string().max(2) })));
    expect(refused.code).toBe('answer_rejected');

    const aborted = await rejected(model.extractFields(image, Form, { signal: AbortSignal.abort() }));
    expect(aborted.code).toBe('aborted');
  });
});

test('objectOf omits a field without an answer, so that the schema reports it', () => {
  const schema = z.object({ a: z.string() });
  expect(() => objectOf(schema, fieldsOf(schema), {})).toThrow('do not pass the checks');
});

test('extractFields reads and encodes the image once for all fields', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-extract-'));
  using model = await CogVLM2.load({ model: writeTinyModel(folder), device: 'cpu', imageCacheBytes: 0 });
  const image = imageFile(readFileSync('test/fixtures/images/exact.png'), 'a test');
  const reads = vi.spyOn(image, 'sha256');
  const Fields = z.object({ a: z.boolean(), b: z.boolean(), c: z.boolean(), d: z.boolean() });
  await model.extractFields(image, Fields);
  expect(reads).toHaveBeenCalledTimes(1);
  expect(model.stats().visionBlocks).toBe(tinyModelConfig.vision_config.num_hidden_layers);
  rmSync(folder, { recursive: true });
});
