/** `cogvlm2 doctor`: reports the libraries, devices and models of this machine, also for bug reports. */
import { z } from 'zod';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { flagsOf } from '../flags.ts';
import { debugOption, jsonOption } from '../options.ts';

/** Variables without a flag. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  COGVLM2_MODELS: 'Folder in which models are found by name.',
  COGVLM2_GGML_DIR: 'Folder of another build of the ggml libraries (the same version).',
  COGVLM2_KERNELS:
    'CPU kernels: `ggml`, `avx2`, `avxvnni`, `avx512`, `avx512bf16` or `amx`; by default the fastest that runs here.',
  COGVLM2_KERNELS_DIR: 'Folder of another build of the CPU kernels.',
};

export function doctorFor(others: readonly Command[]): Command {
  return defineCommand({
    name: 'doctor',
    summary: 'Show what this machine has: libraries, devices, memory, models',
    arguments: [],
    options: z.object({ ...jsonOption, ...debugOption }),
    examples: [{ about: 'For a bug report', line: 'cogvlm2 doctor' }],
    notes: `The exit status is ${EXIT_CODES.machine} if the libraries, the devices or the models cannot be used; the report says why.
\`--json\` prints one object.`,

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
