/** `cogvlm2 eval compare RESULTS...`: results of one benchmark in columns. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { renderTable } from '../format.ts';
import { debugOption, jsonOption } from '../options.ts';

export const evalCompare = defineCommand({
  name: 'eval compare',
  summary: 'Compare results of one benchmark',
  arguments: [
    {
      name: 'RESULTS',
      about: 'results of `eval run` or `eval score --output`',
      required: true,
      variadic: true,
    },
  ],
  options: z.object({ ...jsonOption, ...debugOption }),
  examples: [
    {
      about: 'The effect of quantisation',
      line: 'cogvlm2 eval compare demo-bf16.results.json demo-int8.results.json demo-int4.results.json',
    },
  ],
  notes: 'The last line is the share of questions with the same answer as in the first file.',

  async run(args, { json }, { terminal, library }) {
    const { benchmark, columns, rows } = await library.evalCompare(args);
    if (json) terminal.stdout.write(`${JSON.stringify({ benchmark, columns, rows })}\n`);
    else {
      const shown = (value: number | null) => (value === null ? '-' : String(Math.round(value * 100) / 100));
      terminal.stdout.write(
        renderTable([
          [benchmark, ...columns],
          ...rows.map(({ name, values }) => [name, ...values.map(shown)]),
        ]),
      );
    }
    return 0;
  },
});
