/** `cogvlm2 convert MODEL OUT.gguf`: a checkpoint as one file. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { debugOption, outputOptions } from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';
import { formatBytes, formatCount, formatDuration } from '../units.ts';

const { quiet } = outputOptions;
const convertOptions = z.object({ quiet, ...debugOption });

export const convert = defineCommand({
  name: 'convert',
  summary: 'Write a checkpoint as one GGUF file',
  arguments: [
    { name: 'MODEL', about: 'name or folder of the checkpoint', required: true },
    { name: 'OUT.gguf', about: 'the file to write; it appears when it is whole', required: true },
  ],
  options: convertOptions,
  examples: [{ about: 'The demonstration model in one file', line: 'cogvlm2 convert demo demo.gguf' }],
  notes:
    'The file holds the tensors as they are stored, the config and the tokenizer; every command takes it as a model.',

  async run(args, options, { terminal, library }) {
    const [model, out] = args as [string, string];
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    const startedAt = terminal.now();
    const { path } = await library.findModel(model);
    const onProgress = (done: number, total: number) => progress.report({ stage: 'convert', done, total });
    const job = { onProgress, signal: stop.signal };
    const { tensors, sizeBytes } = await library.convert(path, out, job).finally(progress.clear);
    const took = formatDuration(terminal.now() - startedAt);
    if (!options.quiet) {
      terminal.stdout.write(
        `${formatCount(tensors)} tensors, ${formatBytes(sizeBytes)}, written to ${out} in ${took}.\n`,
      );
    }
    return 0;
  },
});
