/** A batch as CSV, JSON lines, or a table for the clipboard. Pure. */
import { shownValue } from './cells.ts';
import { usableColumns } from './plan.ts';
import type { Batch, Row } from './types.ts';

/** The names of the columns that every table has. */
export interface TableHead {
  file: string;
  page: string;
  state: string;
}

/** RFC 4180 with a byte order mark: Excel needs it to recognize UTF-8. */
export function csvOf(batch: Batch, head: TableHead): string {
  const lines = tableOf(batch, head).map((line) => line.map(csvCell).join(','));
  return `\ufeff${lines.join('\r\n')}\r\n`;
}

/** One object for each page. It has the model's values and the user's corrections in separate fields. */
export function jsonLinesOf(batch: Batch): string {
  return batch.rows.map((row) => `${JSON.stringify(jsonOf(batch, row))}\n`).join('');
}

function jsonOf(batch: Batch, row: Row): object {
  const columns = usableColumns(batch.plan).map(({ id, name }) => [name.trim(), row.cells[id]] as const);
  const read = columns.filter(([, cell]) => cell !== undefined);
  const corrected = read.filter(([, cell]) => cell?.correction !== null);
  return {
    file: row.file,
    page: row.page,
    state: row.state,
    values: Object.fromEntries(read.map(([name, cell]) => [name, cell?.value])),
    ...(corrected.length > 0 && {
      corrections: Object.fromEntries(corrected.map(([name, cell]) => [name, cell?.correction])),
    }),
    ...(row.failure && { error: row.failure }),
  };
}

/** For a spreadsheet: the table as HTML, and as text with tabs. */
export function clipboardOf(batch: Batch, head: TableHead): { html: string; text: string } {
  const lines = tableOf(batch, head);
  const row = (cells: string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  const html = lines.map((cells, index) => row(cells, index === 0 ? 'th' : 'td')).join('');
  return {
    html: `<table>${html}</table>`,
    text: lines.map((cells) => cells.map((cell) => cell.replace(/[\t\r\n]+/g, ' ')).join('\t')).join('\n'),
  };
}

function tableOf(batch: Batch, head: TableHead): string[][] {
  const columns = usableColumns(batch.plan);
  const names = [head.file, head.page, ...columns.map(({ name }) => name.trim()), head.state];
  const rows = batch.rows.map((row) => [
    row.file,
    row.page === null ? '' : String(row.page),
    ...columns.map(({ id }) => shownValue(row.cells[id])),
    row.failure ? `${row.state}: ${row.failure.code}` : row.state,
  ]);
  return [names, ...rows].map((cells) => cells.map(withoutFormula));
}

/** A spreadsheet runs a cell that begins with one of these characters as a formula. Text read from an image must not run. */
function withoutFormula(text: string): string {
  const isNumber = /^[+-]?[\d.,]+$/.test(text);
  return /^[=+\-@\t\r]/.test(text) && !isNumber ? `'${text}` : text;
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\n', '<br>');
}
