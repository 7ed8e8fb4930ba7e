/**
 * Reads the image that a cell refers to: base64 (or the literal of a Python list of base64), the index of another row, bytes
 * of a parquet file, or a file path.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { readDataUrl } from '../../image/data-url.ts';
import { imageFileName } from '../../image/formats.ts';
import { readImageSource } from '../../image/source.ts';
import { parseListLiteral } from '../python/parse.ts';
import { asText, isMissing, isRow, type Row } from '../row.ts';

/** Columns that may refer to images. The first one that exists is used. */
const imageColumns = ['image', 'picture', 'image_path', 'imagename', 'imgname', 'image_id'] as const;

export function holdsImage(column: string): boolean {
  return column === 'image' || column === 'picture' || /^image_\d+$/.test(column);
}

/** The row without its images, for the predictions file. */
export function withoutImages(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).filter(([name]) => !holdsImage(name) && name !== 'image_path'),
  );
}

export interface ImageContext {
  /** Folder of the data file. Paths are relative to it. */
  readonly folder: string;
  imageOf(index: string): Promise<unknown>;
}

/** The cells of a row's images, in order. */
export function imageCells(row: Row): unknown[] {
  const numbered = Array.from({ length: 20 }, (_, i) => row[`image_${i + 1}`]).filter(
    (cell) => !isMissing(cell),
  );
  if (numbered.length > 0 && isMissing(row.image)) return numbered;
  const name = imageColumns.find((name) => !isMissing(row[name]));
  if (name === undefined) return [];
  const cell = row[name];
  if (name === 'image_id') return [`${asText(cell, name)}.jpg`];
  if (Array.isArray(cell)) return cell;
  return (typeof cell === 'string' ? parseListLiteral(cell) : undefined)?.slice() ?? [cell];
}

/** As in VLMEvalKit, a cell of up to 64 characters is the index of another row. */
const maxIndexLength = 64;

/** @throws CogVLM2Error `file_not_found`, `invalid_image`, `invalid_value`, `image_too_large`. */
export async function readImageCell(cell: unknown, context: ImageContext): Promise<Uint8Array> {
  if (cell instanceof Uint8Array) return readImageSource(cell);
  if (isRow(cell)) {
    if (cell.bytes instanceof Uint8Array) return readImageSource(cell.bytes);
    if (typeof cell.path === 'string') return readImageCell(cell.path, context);
    throw new CogVLM2Error('invalid_image', 'The image has neither bytes nor a path.');
  }
  const text = asText(cell, 'image');
  if (/^data:/i.test(text)) return readDataUrl(text);
  if (imageFileName.test(text)) return readImageSource(await findFile(text, context.folder));
  if (text.length > maxIndexLength) return fromBase64(text);
  const referred = await context.imageOf(text);
  if (isMissing(referred))
    throw new CogVLM2Error(
      'invalid_value',
      `The image refers to row ${text}, but there is no row with the index ${text}.`,
    );
  if (typeof referred === 'string' && referred.length <= maxIndexLength && !imageFileName.test(referred)) {
    throw new CogVLM2Error('invalid_value', `The image refers to row ${text}, which has no image.`);
  }
  return readImageCell(referred, context);
}

function fromBase64(text: string): Promise<Uint8Array> {
  const plain = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) {
    throw new CogVLM2Error('invalid_image', `The image's ${text.length} characters are not base64.`);
  }
  return readImageSource(Buffer.from(plain, 'base64'));
}

/** Image folders of the benchmarks' archives, relative to their JSON files. */
const folders = [
  '',
  'images',
  'png',
  'documents',
  'OCRBench_Images',
  'train_images',
  'test_images',
  'train_val_images/train_images',
  '..',
  '../images',
];

async function findFile(name: string, folder: string): Promise<string> {
  if (path.isAbsolute(name)) return name;
  for (const inside of folders) {
    const file = path.join(folder, inside, name);
    if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  }
  throw new CogVLM2Error(
    'file_not_found',
    `There is no image ${name} in ${folder} or in its folders ${folders.filter((name) => name !== '').join(', ')}.`,
  );
}
