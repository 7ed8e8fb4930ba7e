import { expect, test } from 'vitest';
import { oneRowDiffers } from '../../src/ggml/packing.ts';
import { kernels } from '../../src/kernels/library.ts';

const matrix = (type: 'bf16' | 'f16' | 'f32' | 'iq4_nl' | 'q4_0') =>
  ({ type, shape: [64, 64, 1, 1] }) as const;

test('ggml multiplies one row of floats and of IQ4_NL with another kernel', () => {
  // An engine on a GPU does not use our kernels.
  for (const type of ['bf16', 'f16', 'f32', 'iq4_nl'] as const)
    expect(oneRowDiffers(matrix(type), null), type).toBe(true);
  expect(oneRowDiffers(matrix('q4_0'), null)).toBe(false);
});

test.runIf(kernels())('our kernels multiply one row of 16-bit floats like many', () => {
  for (const type of ['bf16', 'f16'] as const)
    expect(oneRowDiffers(matrix(type), kernels()), type).toBe(false);
  expect(oneRowDiffers(matrix('f32'), kernels())).toBe(true);
});
