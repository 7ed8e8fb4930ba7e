/** `cogvlm2 convert MODEL OUT.gguf`: a checkpoint as one GGUF file. */
import { z } from 'zod';
import type { Conversion } from '../../checkpoint/convert.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { parseAdapter } from '../open-model.ts';
import { debugOption, modelOptions, outputOptions, typeOption } from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const { quiet } = outputOptions;
const { adapter } = modelOptions;
const convertOptions = z.object({ ...typeOption, adapter, quiet, ...debugOption });

export const convert = defineCommand({
  name: 'convert',
  summary: 'Write a checkpoint as one GGUF file',
  arguments: [
    { name: 'MODEL', about: 'name or folder of the checkpoint', required: true },
    { name: 'OUT.gguf', about: 'file to write; it appears when it is complete', required: true },
  ],
  options: convertOptions,
  examples: [
    { about: 'The demonstration model in one file', line: 'cogvlm2 convert demo demo.gguf' },
    { about: 'In four bits', line: 'cogvlm2 convert demo demo-int4.gguf --type int4' },
    {
      about: 'With a LoRA adapter merged before the weights are rounded',
      line: 'cogvlm2 convert cogvlm2-llama3-chat-19B receipts.gguf --type int4 --adapter ./receipts',
    },
  ],
  notes: `The file holds the tensors, the config and the tokenizer. Every command takes it as a model. First, the tensors are
checked: each one of the config exactly once. An existing file stays until the new one is complete and replaces it.
[quantization](quantization.md) describes the types. \`--adapter\` merges adapters into the weights; DoRA and adapters with
convolutions, embeddings or \`modules_to_save\` work only this way ([adapters](adapters.md)).`,

  async run(args, options, { terminal, library }) {
    const [model, out] = args as [string, string];
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    const startedAt = terminal.now();
    const { path } = await library.findModel(model);
    const onProgress = (done: number, total: number) => progress.report({ stage: 'convert', done, total });
    const adapter = options.adapter.map(parseAdapter);
    const job = { type: options.type, adapter, onProgress, signal: stop.signal };
    const conversion = await library.convert(path, out, job).finally(progress.clear);
    const { tensors, sizeBytes } = conversion;
    const took = formatDuration(terminal.now() - startedAt);
    if (!options.quiet) {
      terminal.stdout.write(
        `${formatCount(tensors)} tensors, ${formatBytes(sizeBytes)}, written to ${out} in ${took}.\n`,
      );
      terminal.stdout.write(describeTypes(conversion));
      if (conversion.adapted > 0) terminal.stdout.write(describeAdapted(conversion, options.type));
    }
    if (!conversion.hasTokenizer) {
      terminal.stderr.write(
        `cogvlm2: ${path} has no tokenizer.json. ${out} works with \`cogvlm2 trace\`, but it cannot answer questions.\n`,
      );
    }
    return 0;
  },
});

/** `q4_k 10.7 GB, bf16 59.6 MB`, a line for each kind of row that did not fit its type, and one for packed tensors. */
function describeTypes({ types, misfits, unpacked }: Conversion): string {
  const sizes = Object.entries(types)
    .sort(([, a], [, b]) => b - a)
    .map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  const kinds = new Map<string, number>();
  for (const { columns, wanted, type } of misfits) {
    const kind = `rows of ${columns} are not whole ${wanted} blocks: ${type}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const lines = Array.from(kinds, ([kind, count]) => `${formatCount(count)} tensors: ${kind} instead.`);
  if (unpacked.tensors > 0) lines.push(describeUnpacked(unpacked));
  return [`${sizes.join(', ')}.`, ...lines, ''].join('\n');
}

function describeAdapted({ adapted }: Conversion, type: string | undefined): string {
  const types = type === undefined ? '; they are f32, and --type makes them smaller' : '';
  return `${formatCount(adapted)} tensors were changed by the adapters${types}.\n`;
}

function describeUnpacked({ tensors, changed }: Conversion['unpacked']): string {
  const were = `${formatCount(tensors)} tensors had 4 bits (bitsandbytes)`;
  if (changed === 0) return `${were} and are unpacked exactly.`;
  return `${were}; ${formatCount(changed)} were rounded a second time. From the bf16 checkpoint they are rounded once.`;
}
