import { type AdapterSource, openAdapters } from '../checkpoint/peft/adapter.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import type { DType } from '../ggml/dtype.ts';
import { libraryInfo } from '../ggml/library.ts';
import { measureRates, peakRows, type TypeRate } from '../ggml/peaks.ts';
import { type KernelsInfo, kernelsInfo } from '../kernels/library.ts';
import { Model, type ModelOptions } from '../model/cogvlm2.ts';
import { type Cost, limitMs, type Peaks, partBytes } from '../model/cost.ts';
import { decodeStage, imageRowsStage, promptStage, visionStage } from './stages.ts';
import { describeMachine, type Timing, timeStage } from './timing.ts';

export interface BenchOptions extends Pick<ModelOptions, 'device' | 'threads' | 'signal'> {
  /** Time limit of each stage. */
  secondsAStage: number;
  /** Folders of LoRA adapters. */
  adapter?: readonly AdapterSource[];
  /** Rows of the matrix for the peaks. The default matrix is larger than any processor cache. */
  matrixRows?: number;
  onStage?: (name: string) => void;
}

export interface StageResult extends Timing {
  /** Shortest possible time at the measured peaks. */
  limitMs: number;
}

export interface BenchResult {
  kind: 'cogvlm2-bench';
  version: 1;
  date: string;
  machine: ReturnType<typeof describeMachine>;
  engine: { ggml: string; commit: string; device: string; threads: number; kernels: KernelsInfo['variant'] };
  model: { name: string; sizeBytes: number; types: Partial<Record<DType, number>> };
  /** Measured rates of matrix products for each type of weight. `peaks` are the highest ones; the limits are computed from them. */
  rates: TypeRate[];
  peaks: Peaks;
  loadMs: number;
  stages: StageResult[];
  /** Peak memory of the process, including mapped pages of the model. */
  peakResidentBytes: number;
}

/** Loads a model and measures the time of each stage and the peaks of this machine. @throws the errors of `Model.load`. */
export async function runBench(checkpoint: Checkpoint, options: BenchOptions): Promise<BenchResult> {
  const { secondsAStage, onStage, signal, device, threads } = options;
  onStage?.('load');
  const start = performance.now();
  using model = await Model.load(checkpoint, {
    parallel: 1,
    adapters: new Map([['', openAdapters(options.adapter ?? [])]]),
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
  });
  const loadMs = performance.now() - start;
  const { engine } = model;
  const types: BenchResult['model']['types'] = {};
  for (const { type, sizeBytes } of checkpoint.tensors.values()) types[type] = (types[type] ?? 0) + sizeBytes;
  const bytes = partBytes(checkpoint.tensors.values());
  const timed: { whole: Cost; timing: Timing }[] = [];
  for (const stageOf of [visionStage, imageRowsStage, promptStage, decodeStage]) {
    signal?.throwIfAborted();
    const stage = stageOf(model, bytes);
    onStage?.(stage.name);
    timed.push({ whole: stage.whole, timing: await timeStage(stage, secondsAStage * 1000) });
  }
  // Read it before the peaks are measured: their matrices are larger than a small model.
  const peakResidentBytes = process.resourceUsage().maxRSS * 1024;
  signal?.throwIfAborted();
  onStage?.('peaks');
  // Always measure f32: the other parts use it for every type of weight.
  const matrixTypes = new Set<DType>(['f32']);
  for (const { type, shape } of checkpoint.tensors.values()) if (shape.length === 2) matrixTypes.add(type);
  const rates = await measureRates(engine, [...matrixTypes], options.matrixRows ?? peakRows);
  const peaks = {
    flopPerSecond: Math.max(...rates.map((rate) => rate.flopPerSecond)),
    bytesPerSecond: Math.max(...rates.map((rate) => rate.bytesPerSecond)),
  };
  const stages = timed.map(({ whole, timing }) => ({ ...timing, limitMs: limitMs(whole, peaks) }));
  const { version, commit } = libraryInfo();
  return {
    kind: 'cogvlm2-bench',
    version: 1,
    date: new Date().toISOString(),
    machine: describeMachine(),
    engine: {
      ggml: version,
      commit,
      device: engine.device.description,
      threads: engine.threads,
      kernels: kernelsInfo().variant,
    },
    model: { name: checkpoint.name, sizeBytes: Object.values(types).reduce((a, b) => a + b, 0), types },
    rates,
    peaks,
    loadMs,
    stages,
    peakResidentBytes,
  };
}
