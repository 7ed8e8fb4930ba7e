/** No file of src/ imports itself through other files. So each file can be read and moved alone. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../src/', import.meta.url).pathname;

/** Includes imports of types. */
function importsOf(file: string): string[] {
  const source = readFileSync(path.join(root, file), 'utf8');
  const found = source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g);
  return [...found].map(([, target]) => path.join(path.dirname(file), target!));
}

/** The strongly connected components with more than one file, by Tarjan's algorithm. */
function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    open.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!graph.has(target)) continue;
      if (!order.has(target)) {
        visit(target);
        lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
      } else if (open.includes(target)) {
        lowest.set(file, Math.min(lowest.get(file)!, order.get(target)!));
      }
    }
    if (lowest.get(file) !== order.get(file)) return;
    const component = open.splice(open.indexOf(file));
    if (component.length > 1) cycles.push(component.sort().join(' '));
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return cycles.sort();
}

test('files import each other in one direction', () => {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  );
  const cycles = cyclesIn(new Map(files.map((file) => [file, importsOf(file)])));
  expect(cycles).toEqual([]);
});

test('the search finds cycles', () => {
  const graph = { a: ['b'], b: ['c'], c: ['a'], d: ['a'], e: ['e2'], e2: ['e'] };
  expect(cyclesIn(new Map(Object.entries(graph)))).toEqual(['a b c', 'e e2']);
});
