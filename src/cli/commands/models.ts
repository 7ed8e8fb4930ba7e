/** `cogvlm2 models`: the models on this machine, with path, size and type. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { formatBytes, renderTable } from '../format.ts';
import { debugOption, jsonOption } from '../options.ts';

export const models = defineCommand({
  name: 'models',
  summary: 'List the models on this machine',
  arguments: [],
  options: z.object({ ...jsonOption, ...debugOption }),
  examples: [{ about: 'The names that --model takes', line: 'cogvlm2 models --json' }],
  notes: `Models are found in the package's \`models/demo\`, in the folder \`COGVLM2_MODELS\`, in \`./models\` and in the caches of
Hugging Face and ModelScope. \`--json\` prints \`{ models: [{ name, path, format, sizeBytes, types }] }\`.`,

  async run(_args, options, { terminal, library }) {
    const found = await library.listModels();
    if (options.json) {
      terminal.stdout.write(`${JSON.stringify({ models: found })}\n`);
    } else if (found.length === 0) {
      terminal.stderr.write(
        'cogvlm2: there are no models. Put one into ./models, or set COGVLM2_MODELS to a folder of models.\n',
      );
    } else {
      const rows = found.map((m) => [m.name, formatBytes(m.sizeBytes), m.types, m.format, m.path]);
      terminal.stdout.write(renderTable([['NAME', 'SIZE', 'TYPE', 'FORMAT', 'WHERE'], ...rows]));
    }
    return 0;
  },
});
