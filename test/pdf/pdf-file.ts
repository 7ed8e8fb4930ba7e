import { deflateSync } from 'node:zlib';

/** Makes a PDF: one page per text, in Helvetica. */
export interface PdfPage {
  text: string;
  /** Width and height in points; default: A4. */
  size?: readonly [number, number];
}

export function pdfOf(pages: readonly PdfPage[], trailer = '', font = ''): Uint8Array {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${pages.map((_, i) => `${4 + 2 * i} 0 R`).join(' ')}] /Count ${pages.length} >>`,
    `<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica ${font} >>`,
  ];
  pages.forEach(({ text, size = [595, 842] }, i) => {
    const [width, height] = size;
    const stream = `BT /F1 40 Tf ${width * 0.1} ${height * 0.8} Td (${text}) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents ${5 + 2 * i} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    );
  });
  return assemble(objects, trailer);
}

/** A page with a few kilobytes in the file, and 700 MiB after decompression. */
export function bombPdf(): Uint8Array {
  const inflated = Buffer.alloc(700 * 2 ** 20, ' ');
  const stream = deflateSync(inflated, { level: 1 }).toString('latin1');
  return assemble([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R >>',
    `<< /Filter /FlateDecode /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
  ]);
}

function assemble(objects: readonly string[], trailer = ''): Uint8Array {
  let file = '%PDF-1.4\n';
  const offsets = objects.map((object, i) => {
    const offset = file.length;
    file += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const count = objects.length + 1;
  const xref = `xref\n0 ${count}\n0000000000 65535 f \n${rows}`;
  return Buffer.from(
    `${file}${xref}trailer\n<< /Size ${count} /Root 1 0 R ${trailer}>>\nstartxref\n${file.length}\n%%EOF\n`,
    'latin1',
  );
}
