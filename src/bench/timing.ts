import { type Cost, sum } from '../model/cost.ts';
import { CpuWatch } from './cpu-watch.ts';

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
