/** Peak memory of a process and its children between two calls. Linux only. */
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
        // The process has ended, or the system does not allow it.
      }
    }
  }

  /** Megabytes of the process, then of its children. */
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

/** Process ids of the children; empty if the process has ended. */
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
