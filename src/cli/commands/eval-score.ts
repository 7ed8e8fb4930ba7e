/** `cogvlm2 eval score BENCHMARK FILE`: scores predictions of any origin with the rules of a benchmark. */
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
  summary: 'Score predictions with the rules of a benchmark',
  arguments: [
    { name: 'BENCHMARK', about: benchmarks.join(', '), required: true },
    {
      name: 'FILE',
      about: 'predictions of `eval run` or of another program: JSON, TSV, parquet, xlsx',
      required: true,
    },
  ],
  options: z.object({
    ...profileOption,
    ...judgeOptions,
    ...outputFileOption,
    name: flagGroup('Output')(
      z.string().min(1).optional(),
      'Name of the system in the results; results of one name are one row of `report`.',
      { value: 'NAME' },
    ),
    ...jsonOption,
    quiet,
    ...debugOption,
  }),
  examples: [
    { about: 'The score of a file', line: 'cogvlm2 eval score docvqa predictions.jsonl' },
    {
      about: "The score of each answer, with VLMEvalKit's rules of 2024",
      line: 'cogvlm2 eval score chartqa predictions.json --profile vlmevalkit-2024 --json',
    },
    {
      about: 'One benchmark of another system, for a report',
      line: 'cogvlm2 eval score docvqa Qwen_DocVQA_VAL.xlsx --name Qwen --output qwen-docvqa.results.json',
    },
  ],
  notes: `[eval.md](eval.md) describes the rows of FILE and the scorers. \`--json\` prints one \`{ id, score }\` for each line (for
MMMU and MMBench also \`parsed\`, null if undecided), and the profile on standard error. \`--output\` writes the results as one
JSON file for \`eval compare\` and \`report\`. FILE.judge.jsonl keeps the replies of the judge. The key of the judge is
\`COGVLM2_JUDGE_KEY\`.`,

  async run(args, options, context) {
    const [benchmark, file] = args as [string, string];
    const { profile, json, output, name } = options;
    const { terminal, library } = context;
    if (name !== undefined && output === undefined) {
      throw new CogVLM2Error(
        'invalid_value',
        '--name is written into the results, so give --output FILE as well.',
      );
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
