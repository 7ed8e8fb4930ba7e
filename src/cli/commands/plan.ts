/** `cogvlm2 plan MODEL`: the memory that a model needs on this machine, without loading it. */

import { z } from 'zod';
import type { MemoryPlan } from '../../model/memory-plan.ts';
import { defineCommand } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { formatBytes, formatCount, renderTable } from '../format.ts';
import { parseAdapter } from '../open-model.ts';
import { debugOption, jsonOption, modelOptions, typeOption } from '../options.ts';

const { adapter, device, context, imageSize, compute } = modelOptions;

export const plan = defineCommand({
  name: 'plan',
  summary: 'Show how much memory a model needs, and on which device',
  arguments: [
    {
      name: 'MODEL',
      about: 'name, folder or .gguf file; the demonstration model by default',
      optional: true,
    },
  ],
  options: z.object({
    ...typeOption,
    adapter,
    device,
    context,
    imageSize,
    compute,
    ...jsonOption,
    ...debugOption,
  }),
  examples: [
    { about: 'The demonstration model', line: 'cogvlm2 plan' },
    {
      about: 'A published model before its download',
      line: 'cogvlm2 plan cogvlm2-llama3-chat-19B --type int4',
    },
    { about: 'Half of the context', line: 'cogvlm2 plan cogvlm2-int4.gguf --context 4096' },
  ],
  notes: `Nothing is loaded or downloaded. Loading makes the same plan: if the model does not fit, both refuse with the same
numbers and exit status ${EXIT_CODES.machine}. Free memory is that of the container, if there is a limit. The CPU reads weights
from the mapped file. Tower, adapter and vision experts can leave memory between images, so the CPU needs the largest of the
stages and not their sum. Packed copies of a four-bit model's language weights make answers faster; without enough memory they
are left out. A GPU gets as many layers as fit, those of the tower first. \`--json\` prints the plan as one object.`,

  async run([model], options, { terminal, library }) {
    const { json, type, device, context, imageSize, compute } = options;
    const plan = await library.plan(model, {
      compute,
      parallel: 1,
      adapter: options.adapter.map(parseAdapter),
      ...(type !== undefined && { type }),
      ...(device !== undefined && { device }),
      ...(context !== undefined && { contextSize: context }),
      ...(imageSize !== undefined && { imageSize }),
    });
    if (!plan.isDownloaded) {
      terminal.stderr.write(
        `cogvlm2: ${model} is not on this machine; this is the plan of its published layout.\n`,
      );
    }
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
    ['scratch, tower', formatBytes(plan.towerScratchBytes), 'while an image is encoded'],
    ['scratch, decoder', formatBytes(plan.decoderScratchBytes), 'during prefill'],
  ];
  const { sizeBytes, kept } = plan.packedCopies;
  const copies = [
    'packed copies',
    formatBytes(sizeBytes),
    `optional; needs twice this size free (${kept ? 'available' : 'not available'} now); ${cpu}`,
  ];
  const devices = plan.devices.map(({ name, place, neededBytes, freeBytes }) => [
    name,
    formatBytes(neededBytes),
    `peak; ${formatBytes(freeBytes)} free${place === 'cpu' && kept ? `; ${formatBytes(neededBytes + sizeBytes)} with the packed copies` : ''}`,
  ]);
  return renderTable([
    ['PART', 'BYTES', 'WHERE'],
    ...parts,
    ...memory,
    ...(sizeBytes > 0 ? [copies] : []),
    ...devices,
  ]);
}
