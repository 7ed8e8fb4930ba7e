/**
 * [rows][keys] as f16 bits, 0 or -infinity: row i sees the `past` keys before all of them, those of the rows before it, and its
 * own; what lies behind is empty.
 */
export function causalMask(past: number, rows: number, keys = past + rows): Uint16Array {
  const minusInfinity = 0xfc00;
  const mask = new Uint16Array(keys * rows);
  for (let row = 0; row < rows; row++)
    mask.fill(minusInfinity, row * keys + past + row + 1, (row + 1) * keys);
  return mask;
}
