import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/image/decode.ts';
import type { ImageFile } from '../../src/image/source.ts';
import { PdfDocument, readPage } from '../../src/pdf/pdf.ts';
import { failure } from '../image/failure.ts';
import { bombPdf, pdfOf } from './pdf-file.ts';

const { signal } = new AbortController();
const file = (name: string) => readFileSync(new URL(`../fixtures/pdf/${name}.pdf`, import.meta.url));

async function firstPage(bytes: Uint8Array): Promise<ImageFile> {
  using pdf = await PdfDocument.open(bytes);
  return await pdf.renderPage(1);
}

const three = pdfOf([{ text: 'I' }, { text: 'HHHHHHHHHH' }, { text: 'I', size: [14400, 100] }]);

/** Dark share of the page, in thousandths. */
async function ink({ bytes }: ImageFile): Promise<number> {
  const { data, width, height } = await decodeImage(bytes);
  let dark = 0;
  for (let at = 0; at < data.length; at += 3) if (data[at]! < 128) dark++;
  return (dark / width / height) * 1000;
}

describe('a PDF', () => {
  it('renders each page as an image whose short side is the input size of the model', async () => {
    using pdf = await PdfDocument.open(three);
    expect(pdf.pageCount).toBe(3);
    const [first, second] = [await pdf.renderPage(1), await pdf.renderPage(2)];
    expect(await decodeImage(first.bytes)).toMatchObject({ width: 1344, height: 1902 });
    expect(await ink(first)).toBeGreaterThan(0.1);
    expect(await ink(second)).toBeGreaterThan(5 * (await ink(first)));
  });

  it('limits a very long page', async () => {
    using pdf = await PdfDocument.open(three);
    expect(await decodeImage((await pdf.renderPage(3)).bytes)).toMatchObject({ width: 8064, height: 56 });
  });

  it.each([
    ['is cut short', three.subarray(0, 60), /damaged or not supported: its PDF structure is not readable/],
    ['is only a mark', Buffer.from('%PDF-1.7\n'), /damaged/],
    ['has no pages', pdfOf([]), /it has no pages/],
  ])('that %s is refused in one sentence', async (_, bytes, sentence) => {
    await expect(PdfDocument.open(bytes)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(sentence),
    });
  });

  it('that needs a password is refused with the remedy', async () => {
    const key = `<${'41'.repeat(32)}>`;
    const locked = `/ID [${key} ${key}] /Encrypt << /Filter /Standard /V 1 /R 2 /O ${key} /U ${key} /P -4 >> `;
    await expect(PdfDocument.open(pdfOf([{ text: 'secret' }], locked))).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(/encrypted and needs a password: save a copy without a password/),
    });
  });

  it('has limits of pages, bytes and time, and can be aborted', async () => {
    await expect(PdfDocument.open(three, { maxPages: 2 })).rejects.toThrow('has 3 pages; the limit is 2');
    await expect(PdfDocument.open(three, { timeoutMs: 1 })).rejects.toThrow('took longer than 0.001 seconds');
    await expect(PdfDocument.open(three, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

describe('text in fonts that are not embedded', () => {
  // With Noto fonts of the optional packages, or fonts of this machine, at least 5 thousandths of the page are dark.
  it.each(['std', 'cyrillic', 'zh-stsong', 'zh-simsun-gbk', 'tw', 'ja', 'ko'])(
    '%s is drawn',
    async (name) => {
      const image = await firstPage(file(`fonts-${name}`));
      expect(await ink(image)).toBeGreaterThan(5);
      expect(image.warnings).toEqual([]);
    },
  );

  it('gives a warning with the name of the font if no font has the characters', async () => {
    // Tangut is in no font of the packages.
    const image = await firstPage(pdfOf([{ text: 'A' }], '', '/Encoding << /Differences [65 /u17000] >>'));
    expect(image.warnings).toEqual([
      expect.stringMatching(/could not be drawn.*: Helvetica\. Install fonts/),
    ]);
  });
});

describe('features of PDF pages', () => {
  it('JBIG2 images with MMR coding are rendered like those with arithmetic coding', async () => {
    const [arithmetic, mmr, negative] = await Promise.all(
      ['arith', 'mmr0', 'mmr1'].map((name) => firstPage(file(`img-jbig2-${name}`))),
    );
    expect(Buffer.compare(mmr!.bytes, arithmetic!.bytes)).toBe(0);
    expect((await ink(mmr!)) + (await ink(negative!))).toBeCloseTo(1000, 0);
  });

  it('form fields are rendered with their values, and hidden layers are not rendered', async () => {
    expect(await ink(await firstPage(file('form-noap')))).toBeGreaterThan(10);
    expect(await ink(await firstPage(file('layer-off')))).toBeLessThan(10);
  });

  it('crop boxes and rotations are applied', async () => {
    expect(await decodeImage((await firstPage(file('cropbox'))).bytes)).toMatchObject({
      width: 4032,
      height: 1344,
    });
    expect(await decodeImage((await firstPage(file('rotate90'))).bytes)).toMatchObject({
      width: 1344,
      height: 2016,
    });
  });

  it('a page with an extreme ratio is refused with its size', async () => {
    await expect(firstPage(file('absurd'))).rejects.toThrow(
      'Page 1 of the PDF is 2000000 x 200 points; the limit is 200 to 1.',
    );
  });

  it.runIf(existsSync('dist/pdf/pdf.js'))('flags of Node.js do not apply to the thread', () => {
    const ask = `const { PdfDocument } = await import('./dist/pdf/pdf.js');
      const { readFileSync } = await import('node:fs');
      const pdf = await PdfDocument.open(readFileSync('test/fixtures/pdf/rotate90.pdf'));
      console.log(pdf.pageCount); process.exit(0);`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', ask], { encoding: 'utf8' });
    expect(output.trim()).toBe('1');
  });
});

describe('a document that needs too much memory', () => {
  it('is refused, and the memory of the process does not grow', async () => {
    const { code, message } = await failure(firstPage(bombPdf()));
    expect(code).toBe('image_too_large');
    expect(message).toContain("needs more memory than the decoder's limit");
  });
});

describe('readPage', () => {
  it('reads the first page of a PDF, or the requested one', async () => {
    expect(await readPage(three, 'x', undefined, signal)).toMatchObject({ page: 1, pageCount: 3 });
    const { image, page } = await readPage(three, 'x', 2, signal);
    expect([page, (await ink(image)) > 1]).toEqual([2, true]);
    await expect(readPage(three, 'x', 4, signal)).rejects.toThrow(
      'There is no page 4: the PDF has pages 1 to 3.',
    );
  });

  it('has pages only for a PDF', async () => {
    const picture = 'test/fixtures/images/tiny.png';
    expect(await readPage(picture, 'tiny.png', undefined, signal)).toMatchObject({ page: null });
    await expect(readPage(picture, 'tiny.png', 2, signal)).rejects.toThrow('tiny.png is an image, not a PDF');
    await expect(readPage(Buffer.from('8BPS'), 'a.psd', undefined, signal)).rejects.toThrow(
      'a.psd is a Photoshop document (PSD); PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and HEIC images and PDF files are read.',
    );
  });
});
