import { describe, expect, test } from 'vitest';
import { config19B, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { adapterCost, decoderCost, limitMs, partBytes, sum, towerCost } from '../../src/model/cost.ts';
import { configOf } from './tiny-checkpoint.ts';

/** The published layout in bf16. The expected numbers are from the description of the model. */
const config = configOf(config19B);
const bytes = partBytes(
  Array.from(tensorShapes(config19B), ([name, shape]) => ({
    name,
    type: 'bf16' as const,
    shape,
    file: '',
    offsetBytes: 0,
    sizeBytes: 2 * shape.reduce((a, b) => a * b, 1),
  })),
);
const tera = 1e12;

describe('the 19 B model', () => {
  test('has the published number of parameters in each part', () => {
    // The language expert includes the two norms and the rotary table of each layer. lm_head includes the last norm.
    expect(bytes['language experts'] / 2).toBe(6_979_321_856 + 32 * (2 * 4096 + 64));
    expect(bytes['vision experts'] / 2).toBe(6_979_518_464);
    expect(bytes.lm_head / 2).toBe(525_336_576 + 4096);
    expect(bytes.embeddings / 2).toBe(525_336_576);
    expect(bytes.tower / 2).toBe(4_296_961_536);
    // The convolution, the projection, boi and eoi.
    expect(bytes.adapter / 2).toBe(12_846_848 + 183_508_992 + 2 * 4096);
  });

  test('an image of 1344 pixels needs 117 TFLOP in the tower: 79 for products, 38 for attention', () => {
    const { linearFlop, attentionFlop } = towerCost(config, bytes);
    expect(linearFlop / tera).toBeCloseTo(78.9, 1);
    expect(attentionFlop / tera).toBeCloseTo(38.4, 1);
  });

  test('an image of 1344 pixels needs 34 TFLOP in the decoder', () => {
    // boi and the patches, then eoi and 20 tokens of text.
    const { linearFlop, attentionFlop, weightBytes } = sum(
      decoderCost(config, bytes, { expert: 'vision', rows: 2305, past: 1, logits: 0 }),
      decoderCost(config, bytes, { expert: 'language', rows: 21, past: 2306, logits: 1 }),
    );
    expect((linearFlop + attentionFlop) / tera).toBeGreaterThan(33.5);
    expect((linearFlop + attentionFlop) / tera).toBeLessThan(34.5);
    expect(weightBytes).toBe(bytes['language experts'] + bytes['vision experts'] + bytes.lm_head);
  });

  test('a decode step reads 7.5 B parameters, and 131,072 bytes of KV cache per token', () => {
    const step = decoderCost(config, bytes, { expert: 'language', rows: 1, past: 2400, logits: 1 });
    expect(step.weightBytes / 2 / 1e9).toBeCloseTo(7.5, 2);
    expect(step.cacheBytes).toBe(131_072 * 2401);
    // Two operations for each parameter that is read.
    expect(step.linearFlop / step.weightBytes).toBeCloseTo(1, 3);
  });

  test('the adapter needs about a hundredth of the decoder', () => {
    const { linearFlop } = adapterCost(config, bytes);
    expect(linearFlop / tera).toBeCloseTo(0.9, 1);
  });
});

test('the sum of the costs of chunks is the cost of the whole prompt', () => {
  const whole = decoderCost(config, bytes, { expert: 'vision', rows: 700, past: 1, logits: 0 });
  const parts = sum(
    decoderCost(config, bytes, { expert: 'vision', rows: 512, past: 1, logits: 0 }),
    decoderCost(config, bytes, { expert: 'vision', rows: 188, past: 513, logits: 0 }),
  );
  expect(parts.linearFlop).toBe(whole.linearFlop);
  expect(parts.attentionFlop).toBe(whole.attentionFlop);
});

test('the time limit is the larger one of arithmetic and reading', () => {
  const cost = { linearFlop: 3e12, attentionFlop: 1e12, weightBytes: 5e9, cacheBytes: 1e9 };
  expect(limitMs(cost, { flopPerSecond: 1e12, bytesPerSecond: 1e12 })).toBeCloseTo(4000);
  expect(limitMs(cost, { flopPerSecond: 1e15, bytesPerSecond: 2e9 })).toBeCloseTo(3000);
});
