/** `cogvlm2 models`: what is here, where, how large, of which type. */
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
  notes: `Looked for in the package's own \`models/demo\`, in the folder that \`COGVLM2_MODELS\` names, and in \`./models\`.
\`--json\` prints \`{ models: [{ name, path, format, sizeBytes, types }] }\`.`,

  async run(_args, options, { terminal, library }) {
    const found = await library.listModels();
    if (options.json) {
      terminal.stdout.write(`${JSON.stringify({ models: found })}\n`);
    } else if (found.length === 0) {
      terminal.stderr.write(
        'cogvlm2: no models here: put one into ./models, or name a folder of models in COGVLM2_MODELS.\n',
      );
    } else {
      const rows = found.map((m) => [m.name, formatBytes(m.sizeBytes), m.types, m.format, m.path]);
      terminal.stdout.write(renderTable([['NAME', 'SIZE', 'TYPE', 'FORMAT', 'WHERE'], ...rows]));
    }
    return 0;
  },
});
