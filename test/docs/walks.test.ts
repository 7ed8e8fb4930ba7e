/** The walks in docs/architecture.md name files and functions that exist, in at most ten steps each. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { read, root } from './markdown.ts';

const [, section = ''] =
  /^## Four walks through the code\n(.*?)^## /ms.exec(read('docs/architecture.md')) ?? [];
const walks = section.split(/^### /m).slice(1);

it('there are four walks', () => {
  expect(walks).toHaveLength(4);
});

describe.each(walks.map((walk) => [walk.split('\n', 1)[0]!, walk] as const))('%s', (_, walk) => {
  const steps = walk.split('\n').filter((line) => /^\d+\. /.test(line));

  it('has at most ten steps', () => {
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.length).toBeLessThanOrEqual(10);
  });

  it.each(steps)('%s', (step) => {
    const names = [...step.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
    const files = names.filter((name) => name.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(existsSync(`${root}/src/${file}`), file).toBe(true);
    const sources = files.map((file) => read(`src/${file}`)).join('\n');
    const symbols = names.filter((name) => /^[a-z]\w+[A-Z]\w*$|^[A-Z]\w+[a-z]\w*$/.test(name));
    for (const symbol of symbols) expect(sources, symbol).toMatch(new RegExp(`\\b${symbol}\\b`));
  });
});
