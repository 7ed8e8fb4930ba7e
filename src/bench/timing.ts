import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { type Cost, sum } from '../model/cost.ts';

/** A stage is a sequence of pieces, each with its cost. */
export interface Stage {
  name: string;
  /** Unit of the rate. `count` is the number of units in the whole stage. */
  unit: 'images' | 'rows' | 'tokens';
  count: number;
  whole: Cost;
  pieces: AsyncIterable<Cost>;
}

export interface Timing {
  stage: string;
  unit: Stage['unit'];
  count: number;
  /** Time of the whole stage. If only a part ran, its time is scaled up by cost. */
  ms: number;
  /** CPU time of all threads, scaled in the same way. */
  cpuMs: number;
  /** Share of the stage's cost that was measured, 0 to 1. */
  sampled: number;
  flop: number;
  bytes: number;
  /** Share of the CPU time that other programs used during the measurement, 0 to 1; null if unknown. */
  othersCpu: number | null;
}

/**
 * Runs the stage's pieces for at most `budgetMs`. The first piece runs with cold caches and unmapped pages, so it is not
 * counted if there is a second piece.
 */
export async function timeStage(stage: Stage, budgetMs: number): Promise<Timing> {
  const begin = performance.now();
  let watch = new CpuWatch();
  let timedFrom = begin;
  let [ms, cpuMs] = [0, 0];
  let done: Cost[] = [];
  let pieces = 0;
  for await (const cost of stage.pieces) {
    const now = performance.now();
    if (pieces === 1) done = [];
    done.push(cost);
    ms = now - timedFrom;
    cpuMs = watch.ownMs();
    pieces++;
    if (pieces === 1) {
      timedFrom = now;
      watch = new CpuWatch();
    } else if (now - begin > budgetMs) break;
  }
  const timed = sum(...done);
  const share = workOf(timed) / workOf(stage.whole);
  return {
    stage: stage.name,
    unit: stage.unit,
    count: stage.count,
    ms: ms / share,
    cpuMs: cpuMs / share,
    sampled: share,
    flop: stage.whole.linearFlop + stage.whole.attentionFlop,
    bytes: stage.whole.weightBytes + stage.whole.cacheBytes,
    othersCpu: watch.othersShare(),
  };
}

function workOf({ linearFlop, attentionFlop }: Cost): number {
  return linearFlop + attentionFlop;
}

/** CPU time in seconds: busy and total time of the machine, and the time of this process. */
interface CpuTimes {
  busyS: number;
  totalS: number;
  ownS: number;
}

/**
 * Measures CPU time from its construction on: of this process, and the share of other programs (0 to 1; null if the system does
 * not report it). A speed that was measured while other programs ran is not the speed of the machine.
 */
export class CpuWatch {
  readonly #start = readTimes();
  readonly #own = process.cpuUsage();

  /** CPU time of this process, all threads together. On a busy machine it varies less than wall-clock time. */
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
    // Columns, in hundredths of a second, summed over all processors: user nice system idle iowait irq softirq steal.
    const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = fields;
    const busy = user + nice + system + irq + softIrq + steal;
    const own = process.cpuUsage();
    return { busyS: busy / 100, totalS: (busy + idle + wait) / 100, ownS: (own.user + own.system) / 1e6 };
  } catch {
    return undefined;
  }
}

/** Describes the machine of a measurement, without host names and paths. */
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
