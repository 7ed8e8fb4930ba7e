/** Writes small workbooks and other zip files, valid and invalid ones. */
import { deflateRawSync } from 'node:zlib';

export interface ZipPart {
  name: string;
  content: string | Buffer;
  /** The unpacked size that the archive states. */
  saidBytes?: number;
  encrypted?: boolean;
}

export function zipOf(parts: readonly ZipPart[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, encrypted, saidBytes = Buffer.byteLength(content) } of parts) {
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26); // From the version to the lengths; method 8 is deflate. The checksum is not read.
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(encrypted ? 1 : 0, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(saidBytes, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const file = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const entry = Buffer.alloc(14);
    entry.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, entry, Buffer.from(name)]));
    files.push(file);
    at += file.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(parts.length, 4);
  end.writeUInt16LE(parts.length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...files, ...directory, Buffer.from('PK\x05\x06'), end]);
}

const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

/** A workbook with one sheet; `sheet` is the content of its `sheetData`. */
export function workbookOf(sheet: string, strings = '<sst/>', styles = '<styleSheet/>'): ZipPart[] {
  const link = (id: number, type: string, target: string) =>
    `<Relationship Id="rId${id}" Type="${office}/${type}" Target="${target}"/>`;
  return [
    { name: '_rels/.rels', content: `<R>${link(1, 'officeDocument', '/xl/workbook.xml')}</R>` },
    {
      name: 'xl/workbook.xml',
      content: `<workbook xmlns:r="${office}"><sheets><sheet name="a" sheetId="1" r:id="rId3"/></sheets></workbook>`,
    },
    {
      name: 'xl/_rels/workbook.xml.rels',
      content: `<R>${link(1, 'sharedStrings', 'strings.xml')}${link(2, 'styles', 'styles.xml')}${link(3, 'worksheet', '../xl/sheet.xml')}</R>`,
    },
    { name: 'xl/strings.xml', content: strings },
    { name: 'xl/styles.xml', content: styles },
    { name: 'xl/sheet.xml', content: `<worksheet><sheetData>${sheet}</sheetData></worksheet>` },
  ];
}

/** Rows of texts and numbers, written as inline strings and numbers. */
export function sheetOf(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) =>
    typeof value === 'number'
      ? `<c><v>${value}</v></c>`
      : `<c t="inlineStr"><is><t>${value.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</t></is></c>`;
  return rows.map((row) => `<row>${row.map(cell).join('')}</row>`).join('');
}
