/**
 * Merges adapters into a checkpoint while it is converted, piece by piece: W' = W + scale * B A. DoRA, convolutions, embeddings
 * and complete tensors are supported only here.
 */
import { CogVLM2Error } from '../../errors.ts';
import { isFloat } from '../../ggml/dtype.ts';
import { readNumbers } from '../read-tensor.ts';
import type { Checkpoint, TensorEntry } from '../types.ts';
import { checkAdapter, finiteNumbers, type LoraModule, type ScaledAdapter } from './adapter.ts';

/**
 * The checkpoint with its changed tensors as f32, computed when they are read. The order of several adapters only changes the
 * last bits of the sums.
 * @throws CogVLM2Error `invalid_checkpoint` if an adapter does not fit; `invalid_value` if a tensor is quantized
 */
export function mergeAdapters(checkpoint: Checkpoint, adapters: readonly ScaledAdapter[]): Checkpoint {
  const tensors = new Map(checkpoint.tensors);
  const floatOf = (name: string, path: string): TensorEntry => {
    const entry = tensors.get(name);
    if (!entry) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `The adapter ${path} adds ${name}, and ${checkpoint.path} has no tensor of that name, so it cannot be merged. Use --adapter with the other commands instead.`,
      );
    }
    if (isFloat(entry.type)) return entry;
    throw new CogVLM2Error(
      'invalid_value',
      `${checkpoint.path} is quantized (${name} is ${entry.type}), so rounding would remove a part of a merged adapter. Merge it into the bf16 checkpoint, or use --adapter without converting.`,
    );
  };
  for (const { adapter, scale: factor } of adapters) {
    checkAdapter(adapter, checkpoint);
    for (const [modulePath, module] of adapter.modules) {
      const scale = module.scale * factor;
      const weight = floatOf(`${modulePath}.weight`, adapter.path);
      tensors.set(weight.name, changedWeight(weight, module, scale));
      if (!module.bias) continue;
      const bias = floatOf(`${modulePath}.bias`, adapter.path);
      tensors.set(bias.name, sumOf(bias, module.bias, scale));
    }
    for (const [name, stored] of adapter.replaced) {
      const own = floatOf(name, adapter.path);
      tensors.set(
        name,
        computedEntry(own, stored, (start, count) => finiteNumbers(stored, start, count)),
      );
    }
  }
  return { ...checkpoint, tensors };
}

/** An entry of f32 numbers, computed from those of `base`. */
function computedEntry(
  base: TensorEntry,
  from: TensorEntry,
  compute: (start: number, count: number) => Float32Array,
): TensorEntry {
  const { name, shape } = base;
  const sizeBytes = shape.reduce((product, axis) => product * axis, 4);
  return {
    name,
    shape,
    type: 'f32',
    file: from.file,
    offsetBytes: from.offsetBytes,
    sizeBytes,
    computed: compute,
  };
}

function sumOf(base: TensorEntry, added: TensorEntry, scale: number): TensorEntry {
  return computedEntry(base, added, (start, count) => {
    const values = finiteNumbers(added);
    return numbersAt(base, start, count).map((value, i) => value + scale * (values[start + i] ?? 0));
  });
}

function changedWeight(base: TensorEntry, module: LoraModule, scale: number): TensorEntry {
  const [rows = 1] = base.shape;
  const columns = base.shape.reduce((product, axis) => product * axis, 1) / rows;
  /** Kept from the tensor's first piece to its last. */
  let factors: Factors | null = null;
  return computedEntry(base, module.a, (start, count) => {
    factors ??= factorsOf(module, rows, columns);
    const first = Math.floor(start / columns);
    const end = Math.ceil((start + count) / columns);
    const values = numbersAt(base, first * columns, (end - first) * columns);
    for (let row = first; row < end; row++) {
      const own = values.subarray((row - first) * columns, (row - first + 1) * columns);
      addLowRankRow(own, row, factors, scale);
      if (factors.lengths) setLength(own, factors.lengths[row] ?? 0);
    }
    if (start + count === rows * columns) factors = null;
    const skipped = start - first * columns;
    return values.subarray(skipped, skipped + count);
  });
}

interface Factors {
  /** [rank, columns] */
  a: Float32Array;
  /** [rows, rank] */
  b: Float32Array;
  rank: number;
  /** DoRA: of each row */
  lengths: Float32Array | null;
}

function factorsOf({ kind, rank, a, b, magnitude }: LoraModule, rows: number, columns: number): Factors {
  const [aNumbers, bNumbers] = [finiteNumbers(a), finiteNumbers(b)];
  const lengths = magnitude && finiteNumbers(magnitude);
  if (kind !== 'embedding') return { a: aNumbers, b: bNumbers, rank, lengths };
  // The stored A [rank, vocab] and B [hidden, rank] change the table's transpose.
  return { a: transposed(bNumbers, columns, rank), b: transposed(aNumbers, rank, rows), rank, lengths };
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
}

function addLowRankRow(values: Float32Array, row: number, { a, b, rank }: Factors, scale: number): void {
  const columns = values.length;
  for (let k = 0; k < rank; k++) {
    const factor = scale * (b[row * rank + k] ?? 0);
    const at = k * columns;
    for (let i = 0; i < columns; i++) values[i] = (values[i] ?? 0) + factor * (a[at + i] ?? 0);
  }
}

/** Scales a row to a length (DoRA). A row of zeros has no direction and is not changed. */
function setLength(values: Float32Array, length: number): void {
  let squares = 0;
  for (const value of values) squares += value * value;
  if (squares === 0) return;
  const factor = length / Math.sqrt(squares);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * factor;
}

/** Numbers of any float tensor. For bitsandbytes, reading starts at the beginning of a block. */
function numbersAt(entry: TensorEntry, start: number, count: number): Float32Array {
  const skipped = entry.packed ? start % entry.packed.blockSize : 0;
  return readNumbers(entry, start - skipped, count + skipped).subarray(skipped);
}
