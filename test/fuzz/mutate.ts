/** Mutations for any format: of bytes, and of JSON values. */
import type { Random } from './random.ts';

/** Values that often cause errors in programs. */
export const EXTREMES: readonly unknown[] = [
  0,
  -1,
  1,
  2,
  3,
  5,
  0.5,
  100,
  101,
  255,
  256,
  257,
  1e6,
  1e9,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e308,
  -1e308,
  1e-320,
  '',
  '256',
  'x'.repeat(1_000),
  'constructor',
  '__proto__',
  null,
  true,
  false,
  [],
  {},
  [1],
  [0, 1],
  [1e9],
];
const BYTES = [0, 255, 127, 128, 0x22, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d, 0x30, 0x39, 0x2d];

/** Changes a few bytes from `from` to `to`; sometimes cuts the end off. */
export function mutateBytes(random: Random, bytes: Buffer, from = 0, to = bytes.length): Buffer {
  const changed = Buffer.from(bytes);
  const count = 1 + random.below(6);
  for (let i = 0; i < count; i++) {
    const at = from + random.below(to - from);
    const how = random.below(4);
    if (how === 0) changed[at] = changed[at]! ^ (1 << random.below(8));
    else if (how === 1) changed[at] = random.below(256);
    else if (how === 2) changed[at] = random.pick(BYTES);
    else changed.copyWithin(at, from + random.below(to - from), Math.min(to, at + random.below(16)));
  }
  return random.chance(0.05) ? changed.subarray(0, random.below(changed.length)) : changed;
}

/** Replaces, removes or renames one value somewhere in a JSON value. @returns what was changed */
export function mutateJson(random: Random, root: unknown): string {
  const nodes: { node: Record<string, unknown>; path: string }[] = [];
  const walk = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return;
    nodes.push({ node: value as Record<string, unknown>, path });
    for (const key of Object.keys(value).slice(0, 40)) walk(Reflect.get(value, key), `${path}.${key}`);
  };
  walk(root, '');
  const { node, path } = random.pick(nodes.filter(({ node }) => Object.keys(node).length > 0));
  const key = random.pick(Object.keys(node));
  const how = random.below(8);
  if (how === 0) delete node[key];
  else if (how === 1) node[`${key}x`] = node[key];
  else node[key] = structuredClone(random.pick(EXTREMES));
  return `${path}.${key} ${how === 0 ? 'removed' : how === 1 ? 'copied' : JSON.stringify(node[key])?.slice(0, 60)}`;
}

/** Texts that are JSON or similar to JSON, but never a valid file. */
export function strangeJson(random: Random, good: string): string {
  return random.pick([
    '',
    'null',
    '[]',
    '{}',
    '1',
    '"x"',
    '['.repeat(100_000),
    '{"a":'.repeat(50_000),
    `\uFEFF${good}`,
    `${good}x`,
    `${good}\0\0`,
    `{"__proto__":${good}}`,
    good.slice(0, random.below(good.length)),
    ' '.repeat(10_000) + good,
    '\ud800',
    `[${good}]`,
  ]);
}
