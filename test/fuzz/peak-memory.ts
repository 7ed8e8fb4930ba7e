/** The peak of resident memory of a process and its children, between two calls. Linux only. */
import { readFileSync, writeFileSync } from 'node:fs';

export class PeakMemory {
  readonly #processId: number;

  constructor(processId: number) {
    this.#processId = processId;
  }

  reset(): void {
    for (const id of this.#all()) {
      try {
        // Resets VmHWM (proc(5), clear_refs).
        writeFileSync(`/proc/${id}/clear_refs`, '5');
      } catch {
        // It has ended, or the system does not let us.
      }
    }
  }

  /** In megabytes, the process first, then its children. */
  read(): number[] {
    return this.#all().flatMap((id) => {
      try {
        const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1];
        return kilobytes === undefined ? [] : [Math.round((Number(kilobytes) * 1_024) / 1e6)];
      } catch {
        return [];
      }
    });
  }

  #all(): number[] {
    const all = [this.#processId];
    for (const id of all) all.push(...childrenOf(id));
    return all;
  }
}

/** Process ids of the children; none when the process has ended. */
export function childrenOf(processId: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${processId}/task/${processId}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}
