/** The lines typed into `chat`, kept between runs for the arrow keys. Losing them is never an error. */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileWhole } from '../../files/atomic-file.ts';
import { stateDirectory } from '../state-directory.ts';
import type { Terminal } from '../terminal.ts';

const KEPT = 1_000;

export class HistoryFile {
  readonly path: string;
  #last = '';

  constructor(env: Terminal['env']) {
    this.path = join(stateDirectory(env), 'history');
  }

  /** The last lines, oldest first; the file is cut to them when it has grown to twice as many. */
  async read(): Promise<string[]> {
    const lines = (await readFile(this.path, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');
    const kept = lines.slice(-KEPT);
    try {
      if (lines.length > 2 * KEPT) writeFileWhole(this.path, `${kept.join('\n')}\n`);
    } catch {
      // The long file stays; it is cut another time.
    }
    this.#last = kept.at(-1) ?? '';
    return kept;
  }

  /** Only the person may read what the person asked. */
  async add(line: string): Promise<void> {
    if (line.trim() === '' || line === this.#last) return;
    this.#last = line;
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await appendFile(this.path, `${line}\n`, { mode: 0o600 });
    } catch {
      // A conversation is worth more than its history.
    }
  }
}
