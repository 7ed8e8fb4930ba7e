/** `cogvlm2 eval score BENCHMARK FILE`: scores predictions of any origin with the rules of a benchmark. */

import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { benchmarks } from '../../eval/benchmarks.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatCount, renderTable } from '../format.ts';
import {
  debugOption,
  jsonOption,
  judgeFor,
  judgeOptions,
  outputFileOption,
  outputOptions,
  profileOption,
} from '../options.ts';
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

// `cogvlm2 eval merge PART...`: merges the predictions of several machines into one file.

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

// `cogvlm2 eval compare RESULTS...`: results of one benchmark in columns.

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
      about: 'The effect of quantization',
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

// `cogvlm2 eval export BENCHMARK FILE`: answers in the format of a benchmark's own server.

export const evalExport = defineCommand({
  name: 'eval export',
  summary: "Write answers in the format of a benchmark's server",
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
