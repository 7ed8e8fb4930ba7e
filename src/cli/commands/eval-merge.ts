/** `cogvlm2 eval merge PART...`: merges the predictions of several machines into one file. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { formatCount } from '../format.ts';
import { debugOption, outputFileOption } from '../options.ts';

export const evalMerge = defineCommand({
  name: 'eval merge',
  summary: 'Merge the parts of `eval run --shard`',
  arguments: [{ name: 'PART', about: 'a predictions file', required: true, variadic: true }],
  options: z.object({ ...outputFileOption, ...debugOption }),
  examples: [{ about: 'Four machines', line: 'cogvlm2 eval merge docvqa-*.jsonl --output docvqa.jsonl' }],
  notes:
    'Parts with different settings are refused. If parts are missing, they are named, and the exit status is 3.',

  async run(args, { output }, { terminal, library }) {
    if (output === undefined)
      throw new CogVLM2Error(
        'invalid_value',
        '--output FILE is needed for the merged predictions (- is standard output).',
      );
    const { answered, failed, missing } = await library.evalMerge(args, output);
    const messages = output === '-' ? terminal.stderr : terminal.stdout;
    messages.write(`${formatCount(answered)} answers, ${formatCount(failed)} failed, in ${output}.\n`);
    if (missing.length === 0) return 0;
    throw new CogVLM2Error('file_not_found', `These parts are missing: ${missing.join(', ')}.`);
  },
});
