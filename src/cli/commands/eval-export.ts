/** `cogvlm2 eval export BENCHMARK FILE`: answers as a benchmark's own server takes them. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { formatCount } from '../format.ts';
import { debugOption, outputFileOption } from '../options.ts';

export const evalExport = defineCommand({
  name: 'eval export',
  summary: "Write answers as a benchmark's server takes them",
  arguments: [
    { name: 'BENCHMARK', about: 'textvqa, docvqa, mmmu, mmbench', required: true },
    { name: 'FILE', about: 'predictions of `eval run`, or from elsewhere', required: true },
  ],
  options: z.object({ ...outputFileOption, ...debugOption }),
  examples: [
    {
      about: "DocVQA's test answers are not public",
      line: 'cogvlm2 eval export docvqa test.jsonl --output submission.json',
    },
  ],
  notes: `TextVQA and DocVQA get a list of question numbers and answers, MMMU an object of letters or words by id, MMBench
VLMEvalKit's table of predictions as TSV. If questions failed, they are not in the file, and the exit status is 8.`,

  async run(args, { output }, { terminal, library }) {
    const [benchmark, file] = args as [string, string];
    if (output === undefined)
      throw new CogVLM2Error(
        'invalid_value',
        '--output FILE is needed for the answers (- is standard output).',
      );
    const { answers, missing } = await library.evalExport(benchmark, file, output);
    const messages = output === '-' ? terminal.stderr : terminal.stdout;
    messages.write(`${formatCount(answers)} answers in ${output}.\n`);
    if (missing === 0) return 0;
    throw new CogVLM2Error(
      'answers_missing',
      `${formatCount(missing)} questions have no answer and are not in ${output}. Run the same \`cogvlm2 eval run\` to ask them again.`,
    );
  },
});
