/** Numbers between two bounds, in any base, as rows of digit ranges. */

/** The digits at one place, inclusive. */
export type Place = readonly [least: number, most: number];

/**
 * All numbers from `from` to `to`, which have equally many digits. Within a row, the digits are independent of each other.
 * @param least and `most`: limits of every place but the first.
 */
export function rowsBetween(
  from: readonly number[],
  to: readonly number[],
  least: number,
  most: number,
): Place[][] {
  const [a, ...restFrom] = from;
  const [b, ...restTo] = to;
  if (a === undefined || b === undefined) return [[]];
  const free: Place[] = restFrom.map(() => [least, most]);
  if (restFrom.every((place) => place === least) && restTo.every((place) => place === most)) {
    return [[[a, b], ...free]];
  }
  const under = (first: number, rests: Place[][]): Place[][] =>
    rests.map((rest) => [[first, first], ...rest]);
  if (a === b) return under(a, rowsBetween(restFrom, restTo, least, most));
  const between: Place[][] = a + 1 < b ? [[[a + 1, b - 1], ...free]] : [];
  const highest = restFrom.map(() => most);
  const lowest = restTo.map(() => least);
  return [
    ...under(a, rowsBetween(restFrom, highest, least, most)),
    ...between,
    ...under(b, rowsBetween(lowest, restTo, least, most)),
  ];
}
