import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readPage } from '../../src/server/page.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-page-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = pathToFileURL(path.join(folder, 'index.html'));

it('allows only the script and the style of the page', () => {
  const html = '<style>p{}</style><script>go("</p>");</script><p onclick="evil()">';
  writeFileSync(file, html);
  const page = readPage(file);
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = page.headers['content-security-policy'];
  expect(page.html).toBe(html);
  expect(policy).toContain(`script-src ${hash('go("</p>");')};`);
  expect(policy).toContain(`style-src ${hash('p{}')};`);
  expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(policy).not.toMatch(/unsafe/);
});

it('reports with a sentence that the page is not built', () => {
  const page = readPage(new URL('none.html', file));
  expect(page.html).toContain('The chat page is not built');
  expect(page.headers['content-security-policy']).toContain("script-src 'none'");
});
