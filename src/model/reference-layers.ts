/**
 * The arithmetic of the reference model in plain loops. Sums are float64, results float32. Shapes are in PyTorch's order: the last
 * axis is the fastest.
 */

/** [rows, columns], row after row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

export function matrix(
  rows: number,
  columns: number,
  data: Float32Array = new Float32Array(rows * columns),
): Matrix {
  if (data.length !== rows * columns) {
    throw new RangeError(`${data.length} numbers are not a matrix [${rows}, ${columns}].`);
  }
  return { rows, columns, data };
}

export function row({ columns, data }: Matrix, index: number): Float32Array {
  return data.subarray(index * columns, (index + 1) * columns);
}

/** The columns [start, start + count) of every row. */
export function columns(x: Matrix, start: number, count: number): Matrix {
  const part = matrix(x.rows, count);
  for (let r = 0; r < x.rows; r++) row(part, r).set(row(x, r).subarray(start, start + count));
  return part;
}

export function stack(...parts: readonly Matrix[]): Matrix {
  const width = parts[0]?.columns ?? 0;
  const whole = matrix(
    parts.reduce((sum, part) => sum + part.rows, 0),
    width,
  );
  let at = 0;
  for (const { data } of parts) {
    whole.data.set(data, at);
    at += data.length;
  }
  return whole;
}

export function add(a: Matrix, b: Matrix): Matrix {
  return matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value + b.data[i]!),
  );
}

/** a * b, element by element. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  return matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value * b.data[i]!),
  );
}

/** x [n, inputs], weight [outputs, inputs] -> x weight^T + bias [n, outputs]. */
export function linear(x: Matrix, weight: Matrix, bias?: Float32Array): Matrix {
  const y = matrix(x.rows, weight.rows);
  for (let r = 0; r < x.rows; r++) {
    const input = row(x, r);
    const output = row(y, r);
    for (let o = 0; o < weight.rows; o++) output[o] = dot(input, row(weight, o)) + (bias?.[o] ?? 0);
  }
  return y;
}

/** (x - mean) / sqrt(variance + eps) * weight + bias over each row. */
export function layerNorm(x: Matrix, weight: Float32Array, bias: Float32Array, eps: number): Matrix {
  const y = matrix(x.rows, x.columns);
  for (let r = 0; r < x.rows; r++) {
    const input = row(x, r);
    const mean = sum(input) / x.columns;
    const variance = sum(input, (value) => (value - mean) ** 2) / x.columns;
    const scale = 1 / Math.sqrt(variance + eps);
    row(y, r).set(input.map((value, i) => (value - mean) * scale * weight[i]! + bias[i]!));
  }
  return y;
}

/** x / sqrt(mean(x^2) + eps) * weight over each row. */
export function rmsNorm(x: Matrix, weight: Float32Array, eps: number): Matrix {
  const y = matrix(x.rows, x.columns);
  for (let r = 0; r < x.rows; r++) {
    const input = row(x, r);
    const scale = 1 / Math.sqrt(sum(input, (value) => value * value) / x.columns + eps);
    row(y, r).set(input.map((value, i) => value * scale * weight[i]!));
  }
  return y;
}

/** x * normal distribution(x), exactly. */
export function gelu(x: Matrix): Matrix {
  return matrix(
    x.rows,
    x.columns,
    x.data.map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2))),
  );
}

export function silu(x: Matrix): Matrix {
  return matrix(
    x.rows,
    x.columns,
    x.data.map((value) => value / (1 + Math.exp(-value))),
  );
}

export interface Heads {
  query: number;
  /** Each serves `query / keyValue` consecutive query heads. */
  keyValue: number;
  causal: boolean;
}

/** softmax(q k^T / sqrt(d)) v for each head. q [n, query * d], k and v [n, keyValue * d] -> [n, query * d]. */
export function attention(q: Matrix, k: Matrix, v: Matrix, heads: Heads): Matrix {
  const d = q.columns / heads.query;
  const group = heads.query / heads.keyValue;
  const out = matrix(q.rows, q.columns);
  const head = (x: Matrix, r: number, h: number) => row(x, r).subarray(h * d, (h + 1) * d);
  for (let h = 0; h < heads.query; h++) {
    const shared = Math.floor(h / group);
    for (let r = 0; r < q.rows; r++) {
      const visible = heads.causal ? r + 1 : k.rows;
      const scores = Array.from(
        { length: visible },
        (_, other) => dot(head(q, r, h), head(k, other, shared)) / Math.sqrt(d),
      );
      const weights = softmax(scores);
      const result = head(out, r, h);
      for (let i = 0; i < d; i++) {
        let value = 0;
        for (let other = 0; other < visible; other++) value += weights[other]! * head(v, other, shared)[i]!;
        result[i] = value;
      }
    }
  }
  return out;
}

/**
 * Rotates each head's pair (i, i + d/2) by position * invFreq[i]: the half-split form of rotary embedding.
 * x [n, heads * d], invFreq [d/2].
 */
export function rope(x: Matrix, positions: ArrayLike<number>, invFreq: Float32Array): Matrix {
  const half = invFreq.length;
  const y = matrix(x.rows, x.columns);
  for (let r = 0; r < x.rows; r++) {
    const [input, output] = [row(x, r), row(y, r)];
    for (let start = 0; start < x.columns; start += 2 * half) {
      for (let i = 0; i < half; i++) {
        const angle = positions[r]! * invFreq[i]!;
        const [a, b] = [input[start + i]!, input[start + i + half]!];
        output[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
        output[start + i + half] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  }
  return y;
}

function softmax(scores: readonly number[]): number[] {
  const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / total);
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

function sum(values: Float32Array, of: (value: number) => number = (value) => value): number {
  let total = 0;
  for (const value of values) total += of(value);
  return total;
}

/** Abramowitz and Stegun 7.1.6, whose terms are all positive. Beyond 6 the result is 1 in float64. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}
