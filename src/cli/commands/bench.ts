/** `cogvlm2 bench MODEL`: the time of each stage on this machine, and the limit from the machine's peak rates. */

import { z } from 'zod';
import type { BenchResult } from '../../bench/bench.ts';
import { variantNames } from '../../kernels/variants.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatBytes, formatDuration, formatRate, renderTable } from '../format.ts';
import { parseAdapter } from '../open-model.ts';
import { debugOption, jsonOption, modelOptions, outputOptions } from '../options.ts';
import { stopOnInterrupt } from '../terminal.ts';

const seconds = flagGroup('Bench')(
  z.number().gt(0).max(3600).default(10),
  'Stop each stage after this many seconds and extrapolate its time.',
  { value: 'N' },
);
const { adapter, device, threads } = modelOptions;
const { quiet } = outputOptions;

export const bench = defineCommand({
  name: 'bench',
  summary: 'Time each stage and compare it with the peak rates of the machine',
  arguments: [
    {
      name: 'MODEL',
      about: 'name, folder or .gguf file of the model; the demonstration model by default',
      optional: true,
    },
  ],
  options: z.object({ seconds, adapter, device, threads, quiet, ...jsonOption, ...debugOption }),
  examples: [{ about: 'The demonstration model', line: 'cogvlm2 bench demo --seconds 1' }],
  notes: `The peak rates are measured last, with large products of each weight type: operations per second with 256 rows,
bytes of weights per second with one row. The limit of a stage is its cost at these rates, on this machine and with this
version of ggml. OTHERS is the share of the processors that other programs used. Above a few per cent, the rates are too low,
and CPU TIME (all threads of this process) is more stable. The last line is the result as JSON; with \`--json\` it is the only
line. The image is noise. See [performance](performance.md).`,

  async run(args, options, { terminal, library }) {
    using stop = stopOnInterrupt(terminal);
    const { path } = await library.findModel(args[0] ?? 'demo');
    const result = await library.bench(path, {
      secondsAStage: options.seconds,
      adapter: options.adapter.map(parseAdapter),
      signal: stop.signal,
      onStage: (name) => {
        if (!options.quiet) terminal.stderr.write(`cogvlm2: measuring ${name}\n`);
      },
      ...(options.device !== undefined && { device: options.device }),
      ...(options.threads !== undefined && { threads: options.threads }),
    });
    if (!options.json) terminal.stdout.write(`${renderBench(result)}\n`);
    terminal.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  },
});

function describeKernels(variant: BenchResult['engine']['kernels']): string {
  return variant === 'ggml' ? "ggml's kernels" : `kernels for ${variantNames[variant]}`;
}

export function renderBench({
  machine,
  engine,
  model,
  rates,
  loadMs,
  stages,
  peakResidentBytes,
}: BenchResult): string {
  const giga = (perSecond: number) => (perSecond / 1e9).toFixed(perSecond < 1e10 ? 1 : 0);
  const percent = (share: number | null) => (share === null ? '?' : `${Math.round(share * 100)}%`);
  const about = [
    `${model.name}, ${formatBytes(model.sizeBytes)}, on ${engine.device}, ${engine.threads} of ${machine.cores} processors, ggml ${engine.ggml}, ${describeKernels(engine.kernels)}`,
    `loaded in ${formatDuration(loadMs)}; at most ${formatBytes(peakResidentBytes)} resident`,
  ];
  const peaks = rates.map(({ type, packed, flopPerSecond, bytesPerSecond }) => [
    packed ? `${type}, packed` : type,
    giga(flopPerSecond),
    giga(bytesPerSecond),
  ]);
  const rows = stages.map(({ stage, unit, count, ms, cpuMs, sampled, limitMs, flop, bytes, othersCpu }) => [
    stage,
    `${count} ${unit}`,
    formatDuration(ms),
    formatDuration(cpuMs),
    formatDuration(limitMs),
    percent(limitMs / ms),
    `${formatRate(count, ms)} ${unit}/s`,
    giga(flop / (ms / 1000)),
    giga(bytes / (ms / 1000)),
    percent(sampled),
    percent(othersCpu),
  ]);
  return [
    ...about.map((line) => `${line}\n`),
    '\n',
    renderTable([['WEIGHTS', 'GFLOP/S', 'GB/S'], ...peaks]),
    '\n',
    renderTable([
      ['STAGE', 'OF', 'TIME', 'CPU TIME', 'LIMIT', 'REACHED', 'RATE', 'GFLOP/S', 'GB/S', 'RUN', 'OTHERS'],
      ...rows,
    ]),
  ].join('');
}
