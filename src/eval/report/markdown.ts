/** The report as Markdown: the same tables and texts, without images and charts. */
import { benchmarkNames, published, shownScore } from '../benchmarks.ts';
import { type Contents, type PartsTable, publishedScore, type WrongPage } from './contents.ts';
import { distinct, escapeHtml } from './html.ts';
import { countsOf, type MeasuredRow, notes } from './measured.ts';

export function renderMarkdown(contents: Contents): string {
  const { rows, parts, wrong } = contents;
  return [
    '# CogVLM2: measured and published',
    ...notes(rows),
    renderTable(contents),
    '## Counts of the measured scores',
    renderCounts(rows),
    ...(parts.length === 0 ? [] : ['## Part by part', ...parts.flatMap(renderParts)]),
    '## Wrong answers',
    'Less than half of a point, undecided or broken; what most of the measured models got wrong comes first.',
    ...wrong.flatMap((page) => renderWrong(page, rows)),
  ]
    .join('\n\n')
    .concat('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function renderTable({ rows, columns }: Contents): string {
  return table(
    ['Model', 'Numbers', ...columns.map((benchmark) => benchmarkNames[benchmark].title)],
    [
      ...rows.map(({ name, profile, results }) => [
        `**${escapeMarkdown(name)}**`,
        `measured, ${profile}`,
        ...columns.map((benchmark) => {
          const found = results.get(benchmark)?.results;
          return found === undefined ? '–' : `**${shownScore(benchmark, found.score)}**`;
        }),
      ]),
      ...published.map((row) => [
        row.name,
        'published',
        ...columns.map((benchmark) => shownScore(benchmark, publishedScore(row, benchmark))),
      ]),
    ],
  );
}

function renderCounts(rows: readonly MeasuredRow[]): string {
  const lines = rows.flatMap(({ name, profile, results }) =>
    [...results].map(([benchmark, { results }]) => [
      escapeMarkdown(name),
      profile,
      benchmarkNames[benchmark].title,
      shownScore(benchmark, results.score),
      escapeMarkdown(countsOf(results).join(', ')),
    ]),
  );
  return table(['Model', 'Profile', 'Benchmark', 'Score', 'Counts'], lines);
}

function renderParts({ benchmark, models, parts }: PartsTable): string[] {
  const lines = parts.map(({ name, scores }) => [
    escapeMarkdown(name),
    ...scores.map((score) => shownScore(benchmark, score)),
  ]);
  return [`### ${benchmarkNames[benchmark].title}`, table(['Part', ...models.map(escapeMarkdown)], lines)];
}

function renderWrong({ benchmark, total, shown }: WrongPage, rows: readonly MeasuredRow[]): string[] {
  const title = `### ${benchmarkNames[benchmark].title}: ${total.toLocaleString('en-US')}`;
  if (total === 0) return [title, 'None.'];
  const rest = shown.length < total ? [`The first ${shown.length}:`] : [];
  const columns = rows.flatMap(({ name, results }, by) => (results.has(benchmark) ? [{ name, by }] : []));
  const lines = shown.map(({ id, question, answers, given }) => [
    escapeMarkdown(id),
    escapeMarkdown(question ?? ''),
    escapeMarkdown(distinct(answers).join(' / ')),
    ...columns.map(({ by }) => {
      const found = given.find((one) => one.by === by);
      if (found === undefined) return '–';
      if (found.refusal !== undefined) return escapeMarkdown(`refused: ${found.refusal}`);
      return escapeMarkdown(found.error ?? found.prediction ?? '');
    }),
  ]);
  return [
    title,
    ...rest,
    table(['id', 'Question', 'Right', ...columns.map(({ name }) => escapeMarkdown(name))], lines),
  ];
}

/** Escapes text for a cell of a Markdown table: on one line, without Markdown syntax. */
function escapeMarkdown(text: string): string {
  return escapeHtml(text.replaceAll(/\s*\n\s*/g, ' ⏎ ')).replaceAll(/[\\`*_{}[\]|~#]/g, '\\$&');
}
