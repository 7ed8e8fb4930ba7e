/**
 * From what a cell says about a picture to the picture's bytes: base64 (or the text of a Python list of them), the
 * index of another row, bytes of a parquet file, or the path of a file.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { readDataUrl, readImageSource } from '../../image/source.ts';
import { parseListLiteral } from '../python/literal.ts';
import { asText, isMissing, isRow, type Row } from '../row.ts';

/** The columns that may say where the pictures are, the first of them that is there. */
const pictureColumns = ['image', 'picture', 'image_path', 'imagename', 'imgname', 'image_id'] as const;

export function holdsPicture(column: string): boolean {
  return column === 'image' || column === 'picture' || /^image_\d+$/.test(column);
}

/** The row without its pictures, as it goes into the predictions. */
export function withoutPictures(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).filter(([name]) => !holdsPicture(name) && name !== 'image_path'),
  );
}

export interface PictureContext {
  /** Of the data file: paths are relative to it. */
  readonly folder: string;
  pictureOf(index: string): Promise<unknown>;
}

/** What each of a row's pictures is, in order. */
export function pictureCells(row: Row): unknown[] {
  const numbered = Array.from({ length: 20 }, (_, i) => row[`image_${i + 1}`]).filter(
    (cell) => !isMissing(cell),
  );
  if (numbered.length > 0 && isMissing(row.image)) return numbered;
  const name = pictureColumns.find((name) => !isMissing(row[name]));
  if (name === undefined) return [];
  const cell = row[name];
  if (name === 'image_id') return [`${asText(cell, name)}.jpg`];
  if (Array.isArray(cell)) return cell;
  return (typeof cell === 'string' ? parseListLiteral(cell) : undefined)?.slice() ?? [cell];
}

/** VLMEvalKit takes a cell of up to 64 characters for the index of another row. */
const longestIndex = 64;
const pictureFile = /\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|heif|avif)$/i;

/** @throws CogVLM2Error `file_not_found`, `invalid_image`, `invalid_value`, `image_too_large`. */
export async function readPictureCell(cell: unknown, context: PictureContext): Promise<Uint8Array> {
  if (cell instanceof Uint8Array) return readImageSource(cell);
  if (isRow(cell)) {
    if (cell.bytes instanceof Uint8Array) return readImageSource(cell.bytes);
    if (typeof cell.path === 'string') return readPictureCell(cell.path, context);
    throw new CogVLM2Error('invalid_image', 'The picture has neither bytes nor a path.');
  }
  const text = asText(cell, 'image');
  if (/^data:/i.test(text)) return readDataUrl(text);
  if (pictureFile.test(text)) return readImageSource(await findFile(text, context.folder));
  if (text.length > longestIndex) return fromBase64(text);
  const referred = await context.pictureOf(text);
  if (isMissing(referred))
    throw new CogVLM2Error(
      'invalid_value',
      `There is no row with the index ${text}, which the picture refers to.`,
    );
  if (typeof referred === 'string' && referred.length <= longestIndex && !pictureFile.test(referred)) {
    throw new CogVLM2Error('invalid_value', `The picture refers to row ${text}, which has none itself.`);
  }
  return readPictureCell(referred, context);
}

function fromBase64(text: string): Promise<Uint8Array> {
  const plain = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) {
    throw new CogVLM2Error('invalid_image', `The picture's ${text.length} characters are not base64.`);
  }
  return readImageSource(Buffer.from(plain, 'base64'));
}

/** Where the benchmarks' archives put their pictures, seen from their JSON files. */
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
    `There is no picture ${name} in ${folder} or in its folders ${folders.filter((name) => name !== '').join(', ')}.`,
  );
}
