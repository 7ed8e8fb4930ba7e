/** `cogvlm2 doctor`: one block about this machine, to read or to paste into a report. */
import { z } from 'zod';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { flagsOf } from '../flags.ts';
import { debugOption, jsonOption } from '../options.ts';

/** Variables that no flag stands for. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  COGVLM2_MODELS: 'Folder in which models are looked for by name.',
  COGVLM2_GGML_DIR: "Folder of another build of the engine's libraries (the same version of ggml).",
  COGVLM2_KERNELS:
    'CPU kernels: `ggml`, `avx2`, `avxvnni`, `avx512`, `avx512bf16` or `amx`; by default the fastest that runs here.',
  COGVLM2_KERNELS_DIR: 'Folder of another build of the CPU kernels.',
};

export function doctorFor(others: readonly Command[]): Command {
  return defineCommand({
    name: 'doctor',
    summary: 'Show what this machine offers, in one block to paste',
    arguments: [],
    options: z.object({ ...jsonOption, ...debugOption }),
    examples: [{ about: 'For a report of a bug', line: 'cogvlm2 doctor' }],
    notes: `Exit status ${EXIT_CODES.machine} when the engine's libraries, its devices or the models cannot be used; the
block says why. \`--json\` prints the same as one object.`,

    async run(_args, options, context) {
      // Only now, so that the help does not wait for it.
      const { examine, isHealthy, renderReport } = await import('../doctor-report.ts');
      const flags = others.flatMap((command) => flagsOf(command.options));
      const known = [...flags.map((flag) => flag.env), ...Object.keys(OTHER_VARIABLES)];
      const report = await examine(context, known);
      context.terminal.stdout.write(options.json ? `${JSON.stringify(report)}\n` : renderReport(report));
      return isHealthy(report) ? EXIT_CODES.ok : EXIT_CODES.machine;
    },
  });
}
