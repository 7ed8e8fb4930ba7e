/** Weights [k, columns] times x [k, rows] -> [columns, rows]. Sums in double precision. */
export function product(weights: Float32Array, x: Float32Array, k: number): Float64Array {
  const [columns, rows] = [weights.length / k, x.length / k];
  return Float64Array.from({ length: columns * rows }, (_, i) => {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += weights[column * k + j]! * x[row * k + j]!;
    return sum;
  });
}

/** The RMS difference, relative to the RMS of the wanted numbers. */
export function relativeError(actual: Float32Array, wanted: Float64Array): number {
  let [error, size] = [0, 0];
  for (const [i, value] of wanted.entries()) {
    error += (actual[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(error / size);
}
