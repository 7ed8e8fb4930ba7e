/** Hugging Face's parquet files, one row group at a time. A scan leaves out the image columns. */

import { open } from 'node:fs/promises';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { CogVLM2Error } from '../../errors.ts';
import { PythonFloat } from '../python/values.ts';
import type { Row, RowSource, SourceRow } from '../row.ts';
import { holdsImage } from './image-cell.ts';

interface Group {
  readonly firstRow: number;
  readonly rowCount: number;
}

export async function openParquet(path: string): Promise<RowSource> {
  ignoreStrayRejections();
  const handle = await open(path, 'r');
  try {
    const file = await asBuffer(handle);
    // Geographic columns are of no use here, and looking for them never ends with some damaged schemas.
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    const doubles = new Set(
      metadata.schema.filter(({ type }) => type === 'DOUBLE' || type === 'FLOAT').map(({ name }) => name),
    );
    const columns = topLevelNames(metadata);
    const described = columns.filter((name) => !holdsImage(name));
    const groups = groupsOf(metadata);

    async function readGroup(group: Group, columns: string[]): Promise<Row[]> {
      const rowEnd = group.firstRow + group.rowCount;
      const options = { file, metadata, compressors, columns, rowStart: group.firstRow, rowEnd, utf8: false };
      const rows = await parquetReadObjects(options).catch((cause: unknown) => {
        throw damaged(path, cause);
      });
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, asCell(value, doubles.has(name))]),
        ),
      );
    }

    async function* scan(): AsyncGenerator<SourceRow> {
      for (const group of groups) yield* await readGroup(group, described);
    }

    async function* read(rowNumbers: readonly number[]): AsyncGenerator<SourceRow> {
      for (const group of groups) {
        const wanted = rowNumbers.filter(
          (rowNumber) => rowNumber >= group.firstRow && rowNumber < group.firstRow + group.rowCount,
        );
        if (wanted.length === 0) continue;
        const rows = await readGroup(group, columns);
        for (const rowNumber of wanted) yield rows[rowNumber - group.firstRow]!;
      }
    }

    return { scan, read, [Symbol.asyncDispose]: () => handle.close() };
  } catch (cause) {
    await handle.close();
    throw damaged(path, cause);
  }
}

let isIgnoring = false;

/**
 * The package reads all columns concurrently, and stops awaiting when one fails. Node.js would end the process for the
 * rejections of the others. Rejections of other code are thrown as if there were no listener.
 */
function ignoreStrayRejections(): void {
  if (isIgnoring) return;
  isIgnoring = true;
  process.on('unhandledRejection', (reason) => {
    if (reason instanceof Error && /hyparquet|parquet-source/.test(reason.stack ?? '')) return;
    throw reason;
  });
}

/** The package trusts the file's metadata, so a damaged file can throw any error. */
function damaged(path: string, cause: unknown): CogVLM2Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CogVLM2Error('invalid_value', `${path} is not a valid parquet file: ${why}.`, { cause });
}

async function asBuffer(handle: Awaited<ReturnType<typeof open>>): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const from = start < 0 ? size + start : start;
      if (!(from >= 0 && from <= end && end <= size)) {
        throw new RangeError(`it refers to bytes ${from} to ${end}, but has ${size}`);
      }
      const bytes = new Uint8Array(end - from);
      await handle.read(bytes, 0, bytes.length, from);
      return bytes.buffer;
    },
  };
}

function groupsOf({ row_groups }: FileMetaData): Group[] {
  let firstRow = 0;
  return row_groups.map(({ num_rows }) => {
    const group = { firstRow, rowCount: Number(num_rows) };
    firstRow += group.rowCount;
    return group;
  });
}

/** The schema is a list in depth-first order. Its first entry is the root. */
function topLevelNames({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  let at = 1;
  const skip = (): void => {
    const children = schema[at]?.num_children ?? 0;
    at += 1;
    // A damaged file may have a count of thousands of millions.
    for (let child = 0; child < children && at < schema.length; child++) skip();
  };
  while (at < schema.length) {
    names.push(schema[at]!.name);
    skip();
  }
  return names;
}

/** A double keeps its decimal point. */
function asCell(value: unknown, isDouble: boolean): unknown {
  return typeof value === 'number' && isDouble ? new PythonFloat(value) : value;
}
