/** The lines typed into `chat`, kept between runs for the arrow keys. A file that cannot be read or written is no error. */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileWhole } from '../../files/atomic-file.ts';
import { stateDirectory } from '../../files/user-folders.ts';
import type { Terminal } from '../terminal.ts';

const KEPT = 1_000;

export class HistoryFile {
  /** Null for a user without a home: then nothing is kept. */
  readonly path: string | null;
  #last = '';

  constructor(env: Terminal['env']) {
    const folder = stateDirectory(env);
    this.path = folder && join(folder, 'history');
  }

  /** The last lines, oldest first. A file of twice as many lines is cut to them. */
  async read(): Promise<string[]> {
    if (this.path === null) return [];
    const lines = (await readFile(this.path, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');
    const kept = lines.slice(-KEPT);
    try {
      if (lines.length > 2 * KEPT) writeFileWhole(this.path, `${kept.join('\n')}\n`);
    } catch {
      // The next run cuts it.
    }
    this.#last = kept.at(-1) ?? '';
    return kept;
  }

  /** Only the user may read the file. */
  async add(line: string): Promise<void> {
    if (this.path === null || line.trim() === '' || line === this.#last) return;
    this.#last = line;
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await appendFile(this.path, `${line}\n`, { mode: 0o600 });
    } catch {
      // The conversation continues without a history.
    }
  }
}
