/** `cogvlm2 report RESULTS...`: compares measured scores with the published ones, as HTML and Markdown. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { debugOption } from '../options.ts';

const inReport = flagGroup('Report');

export const report = defineCommand({
  name: 'report',
  summary: 'Compare measured scores with the published ones, as HTML and Markdown',
  arguments: [{ name: 'RESULTS', about: 'results files of `cogvlm2 eval`', required: true, variadic: true }],
  options: z.object({
    html: inReport(z.string().min(1).default('report.html'), 'HTML page to write, one self-contained file.', {
      value: 'FILE',
    }),
    markdown: inReport(
      z.string().min(1).default('report.md'),
      'Markdown file to write, without images and charts.',
      {
        value: 'FILE',
      },
    ),
    wrong: inReport(
      z.int().min(0).max(10_000).default(100),
      'Maximum number of wrong answers to show for each benchmark.',
      { value: 'N' },
    ),
    data: inReport(
      z.array(z.string().min(1)).default([]),
      'Data of the benchmark, for the images of wrong answers; may be repeated.',
      { value: 'PATH' },
    ),
    ...debugOption,
  }),
  examples: [
    {
      about: 'A model in three precisions',
      line: 'cogvlm2 report bf16/*.json int8/*.json int4/*.json --html quantized.html',
    },
    {
      about: 'With the images of wrong answers',
      line: 'cogvlm2 report docvqa.results.json --data DocVQA_VAL.tsv',
    },
  ],
  notes: `Each measured row is a model and a profile. Each number has its profile and its counts (questions, undecided, empty,
broken). The twelve systems of the published table are labelled as published. A dash means that there is no score. Answers with
less than half a point are shown as wrong, with the answers of every measured model.`,

  async run(files, { html, markdown, wrong, data }, { terminal, library }) {
    await library.report({ files, data, htmlFile: html, markdownFile: markdown, wrongLimit: wrong });
    terminal.stdout.write(`${html}\n${markdown}\n`);
    return 0;
  },
});
