/** `cogvlm2 plan MODEL`: what a model would take of this machine's memory, before it takes any. */
import { z } from 'zod';
import type { MemoryPlan } from '../../model/memory-plan.ts';
import { defineCommand } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { debugOption, jsonOption, modelOptions } from '../options.ts';
import { renderTable } from '../table.ts';
import { formatBytes, formatCount } from '../units.ts';

const { device, context, imageSize, compute } = modelOptions;

export const plan = defineCommand({
  name: 'plan',
  summary: 'Show what memory a model needs here, and on which device',
  arguments: [
    { name: 'MODEL', about: 'name, folder or .gguf file; without it, the demonstration', optional: true },
  ],
  options: z.object({ device, context, imageSize, compute, ...jsonOption, ...debugOption }),
  examples: [
    { about: 'The model that comes along', line: 'cogvlm2 plan' },
    { about: 'Half of the context', line: 'cogvlm2 plan cogvlm2-int4.gguf --context 4096' },
  ],
  notes: `Nothing is loaded. A model is loaded only when this says that it fits; otherwise both refuse with the same
numbers, and exit status ${EXIT_CODES.machine}. The CPU reads weights where the file is mapped, and what only pictures meet
(tower, adapter, vision experts) leaves memory between pictures, so the CPU needs the largest of what is in use at once and
not the sum. Packed copies are those that \`ask\` and \`chat\` make of a four-bit model's language weights, to answer faster;
where memory is short they are left out, and a server makes only those that round one row and several alike. A GPU gets as many layers as fit, the tower's first. \`--json\` prints the plan as one object.`,

  async run([model], options, { terminal, library }) {
    const { json, device, context, imageSize, compute } = options;
    const plan = await library.plan(model, {
      compute,
      parallel: 1,
      ...(device !== undefined && { device }),
      ...(context !== undefined && { contextSize: context }),
      ...(imageSize !== undefined && { imageSize }),
    });
    terminal.stdout.write(json ? `${JSON.stringify(plan)}\n` : renderPlan(plan));
    if (plan.problem === null) return EXIT_CODES.ok;
    terminal.stderr.write(`cogvlm2: ${plan.problem}\n`);
    return EXIT_CODES.machine;
  },
});

export function renderPlan(plan: MemoryPlan): string {
  const cpu = plan.devices.find(({ place }) => place === 'cpu')?.name ?? 'CPU';
  const gpu = plan.devices.find(({ place }) => place === 'gpu')?.name ?? 'GPU';
  const where = (layers: number, onGpu: number) =>
    onGpu === 0
      ? cpu
      : onGpu === layers
        ? gpu
        : `${formatCount(onGpu)} of ${formatCount(layers)} layers on ${gpu}, the rest on ${cpu}`;
  const parts = plan.parts.map(({ name, sizeBytes, layers, layersOnGpu }) => [
    name,
    formatBytes(sizeBytes),
    where(layers, layersOnGpu),
  ]);
  const decoder = plan.parts.find(({ name }) => name === 'language experts');
  const memory = [
    [
      'keys and values',
      formatBytes(plan.cacheBytes),
      `${formatCount(plan.kvTokens)} tokens; ${where(decoder?.layers ?? 0, decoder?.layersOnGpu ?? 0)}`,
    ],
    ['scratch, tower', formatBytes(plan.towerScratchBytes), 'while a picture is encoded'],
    ['scratch, decoder', formatBytes(plan.decoderScratchBytes), 'while a prompt is read'],
  ];
  const { sizeBytes, kept } = plan.packedCopies;
  const copies = [
    'packed copies',
    formatBytes(sizeBytes),
    `of what every token reads, beside it; only where twice that is free, as it is ${kept ? 'now' : 'not now'}; ${cpu}`,
  ];
  const devices = plan.devices.map(({ name, place, neededBytes, freeBytes }) => [
    name,
    formatBytes(neededBytes),
    `at most at once, of ${formatBytes(freeBytes)} free${place === 'cpu' && kept ? `; ${formatBytes(neededBytes + sizeBytes)} with the packed copies` : ''}`,
  ]);
  return renderTable([
    ['PART', 'BYTES', 'WHERE'],
    ...parts,
    ...memory,
    ...(sizeBytes > 0 ? [copies] : []),
    ...devices,
  ]);
}
