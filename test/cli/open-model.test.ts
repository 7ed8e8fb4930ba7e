import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseAdapter, parseServedAdapters } from '../../src/cli/open-model.ts';
import { caught } from '../checkpoint/caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-argument-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['lora', 'lora', 1],
  ['lora:0.5', 'lora', 0.5],
  ['./a/b:-2', './a/b', -2],
  ['lora:.25', 'lora', 0.25],
  ['lora:1e-1', 'lora', 0.1],
  ['C:\\loras\\receipts', 'C:\\loras\\receipts', 1],
  ['C:\\loras\\receipts:0.5', 'C:\\loras\\receipts', 0.5],
  ['lora:half', 'lora:half', 1],
  ['lora:nan', 'lora:nan', 1],
])('%s', (text, path, scale) => {
  expect(parseAdapter(text)).toEqual({ path, scale });
});

test('a name that ends like a scale is the path of an existing folder', () => {
  const name = path.join(folder, 'run:2');
  mkdirSync(name);
  expect(parseAdapter(name)).toEqual({ path: name, scale: 1 });
  expect(parseAdapter(`${name}:3`)).toEqual({ path: name, scale: 3 });
});

test('a server has adapters by name and for all requests', () => {
  const { adapter, adapters } = parseServedAdapters([
    'receipts=./r:0.5',
    'cards=/loras/a=b',
    './style',
    'x/y=z',
  ]);
  expect(adapter).toEqual([
    { path: './style', scale: 1 },
    { path: 'x/y=z', scale: 1 },
  ]);
  expect(adapters).toEqual({
    receipts: { path: './r', scale: 0.5 },
    cards: { path: '/loras/a=b', scale: 1 },
  });
  expect(caught(() => parseServedAdapters(['a=x', 'a=y'])).message).toContain('two adapters named "a"');
});
