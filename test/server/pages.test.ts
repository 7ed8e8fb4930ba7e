/** POST /v1/pages: the pages of a PDF as images. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type TestApp, testApp } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

const pdf = (name: string) => readFileSync(new URL(`../fixtures/pdf/${name}`, import.meta.url));

let server: TestApp;
beforeAll(async () => {
  server = await testApp({ load: scriptedHost().load, keys: ['right-key'] });
  await server.started;
});

const post = (body: Uint8Array, headers: Record<string, string> = { authorization: 'Bearer right-key' }) =>
  server.app.request('/v1/pages', { method: 'POST', body: new Uint8Array(body), headers });
const linesOf = async (response: Response) =>
  (await response.text())
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as { page: number; page_count: number; image?: string; error?: { code: string } },
    );

describe('POST /v1/pages', () => {
  it('renders each page as one JSON line, and frees its slot', async () => {
    const response = await post(pdf('three-pages.pdf'));
    expect(response.status).toBe(200);
    const lines = await linesOf(response);
    expect(lines.map(({ page, page_count }) => [page, page_count])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    const png = Buffer.from(lines[1]?.image?.split(',')[1] ?? '', 'base64');
    const { format, width } = await sharp(png).metadata();
    expect([format, width]).toEqual(['png', 1344]);
    expect(server.admission.total).toBe(0);
  });

  it.each([
    [
      'an image',
      readFileSync(new URL('../../examples/images/form.png', import.meta.url)),
      400,
      'invalid_image_format',
    ],
    ['a damaged PDF', Buffer.from('%PDF-1.7 and nothing more'), 400, 'invalid_image'],
    ['an empty body', Buffer.alloc(0), 400, 'invalid_image_format'],
    ['a body above the limit', Buffer.alloc(2 ** 22 + 1), 413, 'request_too_large'],
  ])('refuses %s', async (_, body, status, code) => {
    const response = await post(body);
    const { error } = (await response.json()) as { error: { code: string } };
    expect([response.status, error.code]).toEqual([status, code]);
    expect(server.admission.total).toBe(0);
  });

  it('needs the API key', async () => {
    expect((await post(pdf('three-pages.pdf'), {})).status).toBe(401);
  });

  it('renders the next document when a client does not read its pages', { timeout: 120_000 }, async () => {
    const unread = await post(pdf('three-pages.pdf'));
    expect(await linesOf(await post(pdf('three-pages.pdf')))).toHaveLength(3);
    await expect(unread.text()).rejects.toThrow('while other clients wait');
    expect(server.admission.total).toBe(0);
  });

  it('renders the next document when a client disconnects before the last page', async () => {
    const left = await post(pdf('three-pages.pdf'));
    const next = post(pdf('three-pages.pdf'));
    await left.body?.cancel();
    expect(await linesOf(await next)).toHaveLength(3);
    expect(server.admission.total).toBe(0);
  });
});
