/** `cogvlm2 trace`: writes every layer's output for given inputs, to compare with PyTorch. */

import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { parseAdapter } from '../open-model.ts';
import { debugOption, modelOptions, outputOptions } from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

export const trace = defineCommand({
  name: 'trace',
  summary: "Write every layer's output, to compare with PyTorch",
  arguments: [
    { name: 'CHECKPOINT', about: 'folder, .gguf file, or name of a model', required: true },
    { name: 'INPUT', about: 'safetensors file with the pixels and token ids', required: true },
    { name: 'OUTPUT', about: 'safetensors file to write', required: true },
  ],
  options: z.object({
    adapter: modelOptions.adapter,
    compute: modelOptions.compute,
    quiet: outputOptions.quiet,
    ...debugOption,
  }),
  examples: [
    {
      about: 'In float32, for an exact comparison',
      line: 'cogvlm2 trace goldens/small goldens/small/inputs.safetensors traced.safetensors --compute f32',
    },
  ],
  notes: `INPUT holds \`image\` (the normalized pixels) or \`video\` (those of each frame) and, for each prompt NAME, \`NAME.input_ids\` and
\`NAME.token_type_ids\`. OUTPUT holds each block's output under its own name, and for each prompt NAME its
\`NAME.greedy_ids\` and \`NAME.greedy_logits\` (12 tokens).`,

  async run(args, options, { terminal, library }) {
    const [checkpoint, input, output] = args as [string, string, string];
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    const startedAt = terminal.now();
    const { path } = await library.findModel(checkpoint);
    const { compute } = options;
    const job = {
      checkpoint: path,
      input,
      output,
      compute,
      adapter: options.adapter.map(parseAdapter),
      signal: stop.signal,
      onProgress: progress.report,
    };
    const { tensors, outputBytes } = await library.trace(job).finally(progress.clear);
    const took = formatDuration(terminal.now() - startedAt);
    if (!options.quiet) {
      terminal.stdout.write(
        `${formatCount(tensors)} tensors, ${formatBytes(outputBytes)}, written to ${output} in ${took}.\n`,
      );
    }
    return 0;
  },
});
