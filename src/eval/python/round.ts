/**
 * `round(value, 2)`: the exact decimal value of the double, ties to even. `toFixed` is exact as well but rounds
 * ties away from zero. A double lies exactly between two hundredths only when eight times it is an odd integer.
 */
export function roundToHundredths(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 52) return value;
  const fixed = Math.abs(value).toFixed(2);
  const hundredths = BigInt(fixed.replace('.', ''));
  const tie = (Math.abs(value) * 8) % 2 === 1;
  const even = tie && hundredths % 2n === 1n ? hundredths - 1n : hundredths;
  const digits = String(even).padStart(3, '0');
  const rounded = Number(`${digits.slice(0, -2)}.${digits.slice(-2)}`);
  return value < 0 ? -rounded : rounded;
}
