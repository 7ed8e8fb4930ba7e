import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** Seconds of processor time: all that the machine has spent and had, and what this process spent of it. */
interface CpuTimes {
  busyS: number;
  totalS: number;
  ownS: number;
}

/**
 * What share of all processors other programs took between two moments, 0 to 1; null where the system does not say.
 * A speed that was measured beside others is not the machine's.
 */
export class CpuWatch {
  readonly #start = readTimes();
  readonly #own = process.cpuUsage();

  /** Processor time that this process has had since, all threads together: on a busy machine the steadier measure. */
  ownMs(): number {
    const { user, system } = process.cpuUsage(this.#own);
    return (user + system) / 1000;
  }

  othersShare(): number | null {
    const end = readTimes();
    if (!this.#start || !end || end.totalS <= this.#start.totalS) return null;
    const others = end.busyS - this.#start.busyS - (end.ownS - this.#start.ownS);
    return Math.min(1, Math.max(0, others / (end.totalS - this.#start.totalS)));
  }
}

function readTimes(): CpuTimes | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // Hundredths of a second, summed over the processors: user nice system idle iowait irq softirq steal.
    const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = fields;
    const busy = user + nice + system + irq + softIrq + steal;
    const own = process.cpuUsage();
    return { busyS: busy / 100, totalS: (busy + idle + wait) / 100, ownS: (own.user + own.system) / 1e6 };
  } catch {
    return undefined;
  }
}

/** What a result was measured on. Names of machines and of folders stay out of it. */
export function describeMachine(): {
  cpu: string;
  cores: number;
  memoryBytes: number;
  platform: string;
  node: string;
} {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}
