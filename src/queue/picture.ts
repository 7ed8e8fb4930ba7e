/** What a job's picture is on this machine. Files are read below one folder only: a job may come from anybody. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import type { Job } from './job.ts';

/** @throws CogVLM2Error invalid_value, file_not_found */
export function pictureOf(
  picture: NonNullable<Job['picture']>,
  folder: string | undefined,
): Uint8Array | { path: string; page: number | null } {
  if ('base64' in picture) return Buffer.from(picture.base64, 'base64');
  if (folder === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'The picture comes as a path, but this worker reads no files: start it with --shared FOLDER.',
    );
  }
  const place = realPath(picture.path);
  const inside = path.relative(realPath(folder), place);
  if (inside.startsWith('..') || path.isAbsolute(inside)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${picture.path} is not below ${folder}, which this worker reads.`,
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
