/** `cogvlm2 report RESULTS...`: our numbers beside the published ones, as a page to look at and as Markdown. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { debugOption } from '../options.ts';

const inReport = flagGroup('Report');

export const report = defineCommand({
  name: 'report',
  summary: 'Put measured scores beside the published ones, as HTML and Markdown',
  arguments: [{ name: 'RESULTS', about: 'results files of `cogvlm2 eval`', required: true, variadic: true }],
  options: z.object({
    html: inReport(z.string().min(1).default('report.html'), 'The page, one file that needs nothing else.', {
      value: 'FILE',
    }),
    markdown: inReport(z.string().min(1).default('report.md'), 'The same without pictures and charts.', {
      value: 'FILE',
    }),
    wrong: inReport(
      z.int().min(0).max(10_000).default(100),
      'Most wrong answers of a benchmark that are shown.',
      { value: 'N' },
    ),
    data: inReport(
      z.array(z.string().min(1)).default([]),
      'Data that the results were made from, for the pictures of wrong answers; may be given again.',
      { value: 'PATH' },
    ),
    ...debugOption,
  }),
  examples: [
    {
      about: 'A model in three precisions',
      line: 'cogvlm2 report bf16/*.json int8/*.json int4/*.json --html quantised.html',
    },
    {
      about: 'With the pictures of wrong answers',
      line: 'cogvlm2 report docvqa.results.json --data DocVQA_VAL.tsv',
    },
  ],
  notes: `A row of ours is a model and a profile; with every number stand its profile and its counts (questions, undecided, empty,
broken). The twelve systems of the published table are labelled so. What is missing is a dash. Wrong answers are those with
less than half of a point, with what every model of ours said.`,

  async run(files, { html, markdown, wrong, data }, { terminal, library }) {
    await library.report({ files, data, htmlFile: html, markdownFile: markdown, wrongLimit: wrong });
    terminal.stdout.write(`${html}\n${markdown}\n`);
    return 0;
  },
});
