/** A PDF that a test writes for itself: one page per text, in Helvetica. */
export interface PdfPage {
  text: string;
  /** Width and height in points; A4 when left out. */
  size?: readonly [number, number];
}

export function pdfOf(pages: readonly PdfPage[], trailer = ''): Uint8Array {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${pages.map((_, i) => `${4 + 2 * i} 0 R`).join(' ')}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  pages.forEach(({ text, size = [595, 842] }, i) => {
    const [width, height] = size;
    const stream = `BT /F1 40 Tf ${width * 0.1} ${height * 0.8} Td (${text}) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents ${5 + 2 * i} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    );
  });
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
