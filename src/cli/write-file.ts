/** Writing a file whole or not at all: into a new file beside it, which then takes its name. */
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { CogVLM2Error } from '../errors.ts';

/** @throws CogVLM2Error write_failed; what was at `path` before is then still there */
export async function writeFileWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  try {
    // A device or a pipe must be written to, not replaced.
    const existing = await stat(path).catch(() => null);
    if (existing !== null && !existing.isFile()) return await writeFile(path, text);
    await using file = await open(draft, 'w');
    await file.writeFile(text);
    await file.sync();
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw new CogVLM2Error('write_failed', `${path} cannot be written: ${writeProblem(error)}.`, {
      cause: error,
    });
  }
}

/** What the system's code means, in words. */
export function writeProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space is left on the disk';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the disk is read-only';
    case 'ENOENT':
      return 'there is no such folder';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return code ?? message;
  }
}
