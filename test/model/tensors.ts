import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { readIntegers, readNumbers } from '../../src/checkpoint/read-tensor.ts';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';

/** Reads and compares the named tensors of goldens and traces. */
export interface NumberTensor {
  shape: readonly number[];
  values: Float32Array | number[];
}

export function goldenFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/goldens/${name}`, import.meta.url));
}

export function readTensors(file: string): Map<string, NumberTensor> {
  return new Map(
    readSafetensors(file).map((entry) => {
      const values = entry.type === 'i64' ? readIntegers(entry) : readNumbers(entry);
      return [entry.name, { shape: entry.shape, values }];
    }),
  );
}

export function readGolden(name: string): Map<string, NumberTensor> {
  return readTensors(path.join(goldenFolder(name), 'golden.safetensors'));
}

export function floats(tensors: ReadonlyMap<string, NumberTensor>, name: string): Float32Array {
  const tensor = tensors.get(name);
  if (tensor?.values instanceof Float32Array) return tensor.values;
  throw new Error(`There is no tensor ${name}.`);
}

export function integers(tensors: ReadonlyMap<string, NumberTensor>, name: string): number[] {
  const tensor = tensors.get(name);
  if (Array.isArray(tensor?.values)) return tensor.values;
  throw new Error(`There are no integers ${name}.`);
}

/** Expects every wanted tensor: equal integers, and floats within `limit` of their standard deviation. */
export function expectTensors(
  actual: ReadonlyMap<string, NumberTensor>,
  wanted: ReadonlyMap<string, NumberTensor>,
  limit: number,
): void {
  for (const [name, { values }] of wanted) {
    if (Array.isArray(values)) expect(integers(actual, name), name).toEqual(values);
    else expect(difference(floats(actual, name), values).max, name).toBeLessThanOrEqual(limit);
  }
}

export interface Difference {
  /** The largest difference, relative to the standard deviation of the wanted tensor. */
  max: number;
  rms: number;
  /** Index of the largest difference. */
  at: number;
}

/** A NaN or unequal lengths give an infinite difference. */
export function difference(actual: Float32Array, wanted: Float32Array): Difference {
  if (actual.length !== wanted.length)
    return { max: Number.POSITIVE_INFINITY, rms: Number.POSITIVE_INFINITY, at: -1 };
  const std = standardDeviation(wanted);
  const result = { max: 0, rms: 0, at: 0 };
  let squares = 0;
  for (const [i, value] of actual.entries()) {
    const distance = Math.abs(value - wanted[i]!) / std;
    squares += distance * distance;
    if (Number.isNaN(distance))
      return { max: Number.POSITIVE_INFINITY, rms: Number.POSITIVE_INFINITY, at: i };
    if (distance > result.max) Object.assign(result, { max: distance, at: i });
  }
  result.rms = Math.sqrt(squares / actual.length);
  return result;
}

export function standardDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

export interface Tapped {
  name: string;
  data: Float32Array;
}

/** The first wanted tap that is missing or differs by more than `limit`. */
export function firstDifference(
  actual: readonly Tapped[],
  wanted: readonly Tapped[],
  limit: number,
): string | undefined {
  const byName = new Map(actual.map(({ name, data }) => [name, data]));
  for (const { name, data } of wanted) {
    const found = byName.get(name);
    if (!found) return `${name} is missing`;
    const { max, at } = difference(found, data);
    if (!(max <= limit))
      return `${name} differs by ${max.toExponential(2)} of its std at ${at}: ${found[at]} instead of ${data[at]}`;
  }
  return undefined;
}
