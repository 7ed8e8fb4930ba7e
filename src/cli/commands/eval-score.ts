/** `cogvlm2 eval score BENCHMARK FILE`: a benchmark's own rules over predictions that came from anywhere. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { benchmarks } from '../../eval/benchmarks.ts';
import { defineCommand } from '../command.ts';
import { judgeFor, judgeOptions, profileOption } from '../eval-options.ts';
import { flagGroup } from '../flags.ts';
import { debugOption, jsonOption, outputFileOption, outputOptions } from '../options.ts';
import { stopOnInterrupt } from '../terminal.ts';

const { quiet } = outputOptions;

export const evalScore = defineCommand({
  name: 'eval score',
  summary: 'Score predictions as a benchmark does',
  arguments: [
    { name: 'BENCHMARK', about: benchmarks.join(', '), required: true },
    {
      name: 'FILE',
      about: 'predictions of `eval run`, or from elsewhere: JSON, TSV, parquet',
      required: true,
    },
  ],
  options: z.object({
    ...profileOption,
    ...judgeOptions,
    ...outputFileOption,
    name: flagGroup('Output')(
      z.string().min(1).optional(),
      'What the results call the system; those of one name are one row of `report`.',
      { value: 'NAME' },
    ),
    ...jsonOption,
    quiet,
    ...debugOption,
  }),
  examples: [
    { about: 'The score of a file', line: 'cogvlm2 eval score docvqa predictions.jsonl' },
    {
      about: "Each answer's score, by the kit's rules of 2024",
      line: 'cogvlm2 eval score chartqa predictions.json --profile vlmevalkit-2024 --json',
    },
    {
      about: 'One benchmark of another system, for a report',
      line: 'cogvlm2 eval score docvqa Qwen_DocVQA_VAL.xlsx --name Qwen --output qwen-docvqa.results.json',
    },
  ],
  notes: `What a row of FILE holds, and what each scorer computes, stands in [eval.md](eval.md). \`--json\` prints one
\`{ id, score }\` a line (for MMMU and MMBench also \`parsed\`, null where undecided) and the profile on standard error.
\`--output\` takes the results as one JSON file, for \`eval compare\` and \`report\`. The judge's replies are kept in
FILE.judge.jsonl. Its key is taken from \`COGVLM2_JUDGE_KEY\`.`,

  async run(args, options, context) {
    const [benchmark, file] = args as [string, string];
    const { profile, json, output, name } = options;
    const { terminal, library } = context;
    if (name !== undefined && output === undefined) {
      throw new CogVLM2Error('invalid_value', '--name is for the results: give --output FILE as well.');
    }
    using stop = stopOnInterrupt(terminal);
    await using judge = await judgeFor(options, context, stop.signal);
    // With `-o -`, the results are the only output.
    const stdout = output === '-' ? { write: () => true } : terminal.stdout;
    await library.evalScore({ benchmark, file, profile, json, output, name, judge: judge?.options, stdout });
    if (json) terminal.stderr.write(`profile: ${profile}\n`);
    return 0;
  },
});
