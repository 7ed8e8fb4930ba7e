/** The image of a job: sent in the job or as a path. A worker reads files below one folder only, because anybody may add jobs. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { type Job, MAX_INLINE_BYTES } from './job.ts';

/** @throws CogVLM2Error invalid_value, file_not_found */
export function imageOf(
  picture: NonNullable<Job['picture']>,
  folder: string | undefined,
): Uint8Array | { path: string; page: number | null } {
  if ('base64' in picture) return Buffer.from(picture.base64, 'base64');
  if (folder === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'The image is sent as a path, but this worker reads no files: start it with --shared FOLDER.',
    );
  }
  const place = realPath(picture.path);
  const inside = path.relative(realPath(folder), place);
  if (inside.startsWith('..') || path.isAbsolute(inside)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${picture.path} is not in ${folder}, the only folder that this worker reads.`,
    );
  }
  return { path: place, page: picture.page };
}

function realPath(name: string): string {
  try {
    return realpathSync(name);
  } catch (cause) {
    throw new CogVLM2Error('file_not_found', `There is no file ${JSON.stringify(name)} on this worker.`, {
      cause,
    });
  }
}

/** @throws CogVLM2Error image_too_large */
export function inlineImage(bytes: Uint8Array): Job['picture'] {
  if (bytes.byteLength <= MAX_INLINE_BYTES) return { base64: Buffer.from(bytes).toString('base64') };
  throw new CogVLM2Error(
    'image_too_large',
    `The image has ${bytes.byteLength} bytes; the limit of a job is ${MAX_INLINE_BYTES}. Make it smaller, or use --by-path with a folder that the workers have too.`,
  );
}
