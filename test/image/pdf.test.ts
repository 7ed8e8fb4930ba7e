import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/image/decode.ts';
import { readPage } from '../../src/image/page.ts';
import { PdfDocument } from '../../src/image/pdf.ts';
import { pdfOf } from './pdf-file.ts';

const { signal } = new AbortController();
const three = pdfOf([{ text: 'I' }, { text: 'HHHHHHHHHH' }, { text: 'I', size: [14400, 100] }]);

/** Share of the page that is dark, in thousandths. */
async function ink(png: Uint8Array): Promise<number> {
  const { data, width, height } = await decodeImage(png);
  let dark = 0;
  for (let at = 0; at < data.length; at += 3) if (data[at]! < 128) dark++;
  return (dark / width / height) * 1000;
}

describe('a PDF', () => {
  it('gives each page as a picture whose short side is what the model reads', async () => {
    using pdf = await PdfDocument.open(three);
    expect(pdf.pageCount).toBe(3);
    const [first, second] = [await pdf.renderPage(1), await pdf.renderPage(2)];
    expect(await decodeImage(first)).toMatchObject({ width: 1344, height: 1902 });
    expect(await ink(first)).toBeGreaterThan(0.1);
    expect(await ink(second)).toBeGreaterThan(5 * (await ink(first)));
  });

  it('bounds a page that is very long', async () => {
    using pdf = await PdfDocument.open(three);
    expect(await decodeImage(await pdf.renderPage(3))).toMatchObject({ width: 8064, height: 56 });
  });

  it.each([
    ['is cut short', three.subarray(0, 60), /damaged, or not one that is read here: File not in PDF format/],
    ['is only a mark', Buffer.from('%PDF-1.7\n'), /damaged/],
    ['has no pages', pdfOf([]), /it has no pages/],
  ])('that %s is refused in one sentence', async (_, bytes, sentence) => {
    await expect(PdfDocument.open(bytes)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(sentence),
    });
  });

  it('that asks for a password is refused with what to do', async () => {
    const key = `<${'41'.repeat(32)}>`;
    const locked = `/ID [${key} ${key}] /Encrypt << /Filter /Standard /V 1 /R 2 /O ${key} /U ${key} /P -4 >> `;
    await expect(PdfDocument.open(pdfOf([{ text: 'secret' }], locked))).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(/encrypted and asks for a password: save a copy without one/),
    });
  });

  it('has its limits: pages, bytes, time, and the caller', async () => {
    await expect(PdfDocument.open(three, { maxPages: 2 })).rejects.toThrow('has 3 pages; the limit is 2');
    await expect(PdfDocument.open(three, { timeoutMs: 1 })).rejects.toThrow('took longer than 0.001 seconds');
    await expect(PdfDocument.open(three, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

describe('what is asked about', () => {
  it('is the first page of a PDF, or the one that is wanted', async () => {
    expect(await readPage(three, 'x', undefined, signal)).toMatchObject({ page: 1, pageCount: 3 });
    const { bytes, page } = await readPage(three, 'x', 2, signal);
    expect([page, (await ink(bytes)) > 1]).toEqual([2, true]);
    await expect(readPage(three, 'x', 4, signal)).rejects.toThrow(
      'There is no page 4: the PDF has pages 1 to 3.',
    );
  });

  it('has pages only when it is a PDF', async () => {
    const picture = 'test/fixtures/images/tiny.png';
    expect(await readPage(picture, 'tiny.png', undefined, signal)).toMatchObject({ page: null });
    await expect(readPage(picture, 'tiny.png', 2, signal)).rejects.toThrow(
      'tiny.png is a picture, not a PDF',
    );
    await expect(readPage(Buffer.from('GIF89a'), 'a.gif', undefined, signal)).rejects.toThrow(
      'a.gif is a GIF; PNG, JPEG and WebP pictures and PDF files are read.',
    );
  });
});
