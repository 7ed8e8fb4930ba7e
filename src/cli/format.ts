/** Formats sizes, times, rates, tables and text for people. */
import type { OutputStream } from './terminal.ts';

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units, as for disks and downloads: 23.4 MB. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** 412 ms, 3.2 s, 42 s, 2 min 5 s. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 12,345 */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** 1 file, 12,345 files */
export function formatCounted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** A rate per second, with three significant digits at most. */
export function formatRate(count: number, ms: number): string {
  const rate = ms > 0 ? (count * 1000) / ms : 0;
  return rate >= 100 ? formatCount(rate) : rate.toFixed(1);
}

/** Columns of text, each as wide as its widest cell. The first row is the header. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * Makes text of a model or a file safe for a terminal. Control characters could move the cursor or set the title, so each
 * becomes U+FFFD. Files and pipes get the text unchanged.
 */
export function printable(text: string, stream: OutputStream): string {
  return stream.isTTY === true ? text.replaceAll(/[^\P{Cc}\n\t]/gu, '\u{fffd}') : text;
}

/** The path, or the start of a data URL. */
export function imageLabel(argument: string): string {
  return /^data:/i.test(argument) && argument.length > 60 ? `${argument.slice(0, 57)}...` : argument;
}
