import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { type Cost, sum } from '../model/cost.ts';

/** A stage as pieces that can be run one after the other, each with its cost. */
export interface Stage {
  name: string;
  /** What its rate is counted in, and how many of them the whole stage is. */
  unit: 'images' | 'rows' | 'tokens';
  count: number;
  whole: Cost;
  pieces: AsyncIterable<Cost>;
}

export interface Timing {
  stage: string;
  unit: Stage['unit'];
  count: number;
  /** The whole stage's time; where only a part was run, that part's, scaled by cost. */
  ms: number;
  /** Processor time of all threads, scaled likewise. */
  cpuMs: number;
  /** What share of the stage's cost was run and timed, 0 to 1. */
  sampled: number;
  flop: number;
  bytes: number;
  /** Share of the processors that other programs took meanwhile; null where that is not known. */
  othersCpu: number | null;
}

/**
 * Runs the stage's pieces until `budgetMs` is over. The first piece, which finds caches and pages cold, is left out of the
 * sample when there is a second.
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
