/** Links of the pages work, and the pages agree with the code. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES, exitCodeOf } from '../../src/cli/exit-codes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { anchors, links, pages, read, root } from './markdown.ts';

describe('links', () => {
  it.each(pages)('of %s have existing targets', (page) => {
    for (const link of links(page)) {
      if (/^https?:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      expect(existsSync(path.join(root, target)), `${link} in ${page}`).toBe(true);
      if (anchor !== undefined) expect(anchors(target), `${link} in ${page}`).toContain(anchor);
    }
  });
});

describe('docs/errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` +\| (\d+) +\| (\S.*) \|$/gm)];

  it('has every error code, once, with its exit status', () => {
    const source = read('src/errors.ts');
    const codes = [...source.slice(source.indexOf('type ErrorCode')).matchAll(/\| '(\w+)'/g)].map(
      (m) => m[1],
    );
    expect(rows.map(([, code]) => code)).toEqual(codes);
    for (const [, code, status] of rows) expect(Number(status), code).toBe(exitCodeOf(code as ErrorCode));
  });

  it('names only existing exit statuses', () => {
    expect(Object.values(EXIT_CODES)).toEqual(
      expect.arrayContaining(rows.map(([, , status]) => Number(status))),
    );
  });
});

describe('CHANGELOG.md', () => {
  it('begins with the version of the package', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(/^## (\d\S+)/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version);
  });
});
