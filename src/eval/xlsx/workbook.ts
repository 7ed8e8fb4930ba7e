/** What a workbook says of its first sheet: where it is, its strings, and which of its numbers are dates. */
import path from 'node:path/posix';
import type { Archive } from './archive.ts';
import { isDateFormat } from './dates.ts';
import { RichText } from './rich-text.ts';
import { XlsxError } from './xlsx-error.ts';
import { readXml, withoutPrefix, type XmlListener } from './xml.ts';

export interface Workbook {
  /** Part of the archive. */
  readonly sheet: string;
  /** Of string cells, which are numbers of these. */
  readonly strings: readonly string[];
  /** By the number of a cell's style. */
  readonly isDate: readonly boolean[];
  /** Days count from 1904 instead of 1900. */
  readonly since1904: boolean;
}

interface Link {
  readonly id: string;
  /** The last word of its address. */
  readonly type: string;
  readonly target: string;
}

/** @throws XlsxError where parts are missing. */
export async function readWorkbook(archive: Archive): Promise<Workbook> {
  const main = (await linksOf(archive, '')).find(({ type }) => type === 'officeDocument')?.target;
  if (main === undefined) throw new XlsxError('it has no workbook in it');
  const sheetIds: string[] = [];
  let since1904 = false;
  await read(archive, main, {
    open(name, attributes) {
      if (name === 'workbookPr') since1904 = /^(?:1|true)$/.test(attributes.date1904 ?? '');
      const id = Object.keys(attributes).find((key) => key !== 'id' && withoutPrefix(key) === 'id');
      if (name === 'sheet' && id !== undefined) sheetIds.push(attributes[id]!);
    },
  });
  const links = await linksOf(archive, main);
  // A sheet may be nothing but a chart, which pandas does not count.
  const sheets = sheetIds.map((sheet) => links.find(({ id, type }) => id === sheet && type === 'worksheet'));
  const sheet = sheets.find((link) => link !== undefined)?.target;
  if (sheet === undefined) throw new XlsxError('it has no sheet of cells in it');
  const partOf = (kind: string) => links.find(({ type }) => type === kind)?.target;
  return {
    sheet,
    strings: await stringsIn(archive, partOf('sharedStrings')),
    isDate: await dateStylesIn(archive, partOf('styles')),
    since1904,
  };
}

/** @throws XlsxError where the archive has no such part. */
export async function read(archive: Archive, part: string, listener: XmlListener): Promise<void> {
  const chunks = await archive.part(part);
  if (chunks === undefined) throw new XlsxError(`it lacks ${part}`);
  await readXml(chunks, listener);
}

/** Which other parts one refers to; the archive itself is ''. */
async function linksOf(archive: Archive, part: string): Promise<Link[]> {
  const links: Link[] = [];
  const folder = path.dirname(part);
  await read(archive, path.join(folder, '_rels', `${path.basename(part)}.rels`), {
    open(name, { Id: id, Type: type, Target: target }) {
      if (name !== 'Relationship' || !id || !type || !target) return;
      const inArchive = target.startsWith('/') ? target.slice(1) : path.join(folder, target);
      links.push({ id, type: type.slice(type.lastIndexOf('/') + 1), target: inArchive });
    },
  });
  return links;
}

async function stringsIn(archive: Archive, part: string | undefined): Promise<string[]> {
  const strings: string[] = [];
  const text = new RichText();
  if (part === undefined) return strings;
  await read(archive, part, {
    open: (name) => text.open(name),
    text: (added) => text.add(added),
    close(name) {
      text.close(name);
      // As openpyxl does, which leaves other escapes of characters ("_x000D_") as they are.
      if (name === 'si') strings.push(text.take().replaceAll('x005F_', ''));
    },
  });
  return strings;
}

async function dateStylesIn(archive: Archive, part: string | undefined): Promise<boolean[]> {
  const formats = new Map<string, string>();
  const isDate: boolean[] = [];
  let inCells = false;
  if (part === undefined) return isDate;
  await read(archive, part, {
    open(name, { numFmtId = '0', formatCode = '' }) {
      if (name === 'numFmt') formats.set(numFmtId, formatCode);
      else if (name === 'cellXfs') inCells = true;
      else if (name === 'xf' && inCells) isDate.push(isDateFormat(Number(numFmtId), formats.get(numFmtId)));
    },
    close(name) {
      if (name === 'cellXfs') inCells = false;
    },
  });
  return isDate;
}
