/** `cogvlm2 eval score BENCHMARK FILE`: a benchmark's own rules over predictions that came from anywhere. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { benchmarks, profiles } from '../../eval/benchmarks.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { debugOption, jsonOption } from '../options.ts';

const evalOptions = z.object({
  profile: flagGroup('Scoring')(
    z.enum(profiles).default('official'),
    'Whose rules, where the reference scorers disagree.',
    { value: 'NAME' },
  ),
  ...jsonOption,
  ...debugOption,
});

export const evaluate = defineCommand({
  name: 'eval',
  summary: 'Score predictions as a benchmark does',
  arguments: [
    { name: 'ACTION', about: '`score`', required: true },
    { name: 'BENCHMARK', about: benchmarks.join(', '), required: true },
    { name: 'FILE', about: 'predictions: a JSON list, or JSON lines', required: true },
  ],
  options: evalOptions,
  examples: [
    { about: 'The score of a file', line: 'cogvlm2 eval score docvqa predictions.jsonl' },
    {
      about: "Each answer's score, by the kit's rules of 2024",
      line: 'cogvlm2 eval score chartqa predictions.json --profile vlmevalkit-2024 --json',
    },
  ],
  notes: `What a row of FILE holds, and what each scorer computes, stands in [eval.md](eval.md). \`--json\` prints one
\`{ id, score }\` a line (for MMMU and MMBench also \`parsed\`, null where undecided) and the profile on standard error.`,

  async run(args, { profile, json }, { terminal, library }) {
    const [action, benchmark, file] = args as [string, string, string];
    if (action !== 'score') {
      throw new CogVLM2Error('invalid_value', `"${action}" is nothing that eval does; it does "score".`);
    }
    await library.evalScore({ benchmark, file, profile, json, stdout: terminal.stdout });
    if (json) terminal.stderr.write(`profile: ${profile}\n`);
    return 0;
  },
});
