/** The report as one HTML file that needs nothing else: no script, no font, no address. */
import type { Benchmark } from '../eval/benchmarks.ts';
import { benchmarkNames, shownScore } from './benchmark-names.ts';
import { renderChart } from './chart.ts';
import { type Contents, publishedScore, type WrongPage } from './contents.ts';
import { escapeHtml } from './escape.ts';
import { countsOf, type MeasuredRow } from './measured.ts';
import type { PartsTable } from './parts.ts';
import { published } from './published.ts';
import { style } from './style.ts';
import { notes } from './words.ts';
import type { Said, WrongAnswer } from './wrong.ts';

/** A data URL by question; without one, no picture is shown. */
export type Pictures = ReadonlyMap<WrongAnswer, string>;

const answersOnAPage = 20;

export function renderHtml(contents: Contents, pictures: Pictures): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>CogVLM2: measured and published</title>
<style>${style}</style>
</head>
<body>
<h1>CogVLM2: measured and published</h1>
${notes(contents.rows)
  .map((note) => `<p>${escapeHtml(note)}</p>`)
  .join('\n')}
<h2>The table</h2>
${renderTable(contents)}
<h2>Benchmark by benchmark</h2>
<div class="charts">
${contents.charts.map(({ benchmark, bars }) => `<section class="card"><h3>${heading(benchmark)}</h3>${renderChart(benchmark, bars)}</section>`).join('\n')}
</div>
${contents.parts.length === 0 ? '' : `<h2>Part by part</h2>\n${contents.parts.map(renderParts).join('\n')}`}
<h2>Wrong answers</h2>
<p class="soft">Less than half of a point, undecided or broken; what most of the measured models got wrong comes first.</p>
${contents.wrong.map((page) => renderWrong(page, contents.rows, pictures)).join('\n')}
</body>
</html>
`;
}

function heading(benchmark: Benchmark): string {
  const { title, full } = benchmarkNames[benchmark];
  return `${title} <span class="kind">${full === 1000 ? 'points of 1,000' : 'per cent'}</span>`;
}

function renderTable({ rows, columns }: Contents): string {
  const heads = columns.map((benchmark) => `<th scope="col">${benchmarkNames[benchmark].title}</th>`);
  const ours = rows.map(({ name, profile, results }) => {
    const cells = columns.map((benchmark) => {
      const found = results.get(benchmark)?.results;
      if (found === undefined) return '<td>–</td>';
      return `<td>${shownScore(benchmark, found.score)}<span class="counts">${countsOf(found).map(escapeHtml).join('<br>')}</span></td>`;
    });
    return `<tr class="ours"><th scope="row">${escapeHtml(name)}<span class="kind">measured, profile ${profile}</span></th>${cells.join('')}</tr>`;
  });
  const theirs = published.map((row) => {
    const cells = columns.map((name) => `<td>${shownScore(name, publishedScore(row, name))}</td>`);
    return `<tr><th scope="row">${escapeHtml(row.name)}<span class="kind">published</span></th>${cells.join('')}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr><th scope="col">Model</th>${heads.join('')}</tr></thead><tbody>
${[...ours, ...theirs].join('\n')}
</tbody></table></div>`;
}

function renderParts({ benchmark, models, parts }: PartsTable): string {
  const heads = models.map((model) => `<th scope="col">${escapeHtml(model)}</th>`);
  const lines = parts.map(({ name, scores }) => {
    const cells = scores.map((score) => `<td>${shownScore(benchmark, score)}</td>`);
    return `<tr><th scope="row">${escapeHtml(name)}</th>${cells.join('')}</tr>`;
  });
  return `<details open><summary>${heading(benchmark)}</summary><div class="scroll parts"><table><thead><tr><th scope="col">Part</th>${heads.join('')}</tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div></details>`;
}

function renderWrong(
  { benchmark, total, shown }: WrongPage,
  rows: readonly MeasuredRow[],
  pictures: Pictures,
): string {
  const { title } = benchmarkNames[benchmark];
  if (total === 0) return `<h3>${title}</h3>\n<p class="soft">None.</p>`;
  const pages = Array.from({ length: Math.ceil(shown.length / answersOnAPage) }, (_, i) => {
    const from = i * answersOnAPage;
    const cards = shown.slice(from, from + answersOnAPage);
    const range = `${from + 1} to ${from + cards.length}`;
    const html = cards.map((card) => renderCard(card, rows, pictures.get(card)));
    return `<details${i === 0 ? ' open' : ''}><summary>${title}, ${range}</summary><div class="answers">
${html.join('\n')}
</div></details>`;
  });
  const rest = shown.length < total ? `; the first ${shown.length} are shown` : '';
  return `<h3>${title} <span class="kind">${total.toLocaleString('en-US')} wrong${rest}</span></h3>\n${pages.join('\n')}`;
}

function renderCard(
  { id, question, answers, said }: WrongAnswer,
  rows: readonly MeasuredRow[],
  picture: string | undefined,
): string {
  const image =
    picture === undefined ? '' : `<img src="${escapeHtml(picture)}" alt="the picture of the question">`;
  const right =
    answers.length === 0 ? '<span class="empty">not known</span>' : escapeHtml(distinct(answers).join(' | '));
  const lines = said.map(
    (one) => `<dt>${escapeHtml(rows[one.by]!.name)}</dt><dd class="${verdict(one)}">${spoken(one)}</dd>`,
  );
  return `<article class="card">${image}<div class="id">${escapeHtml(id)}</div><div class="question">${escapeHtml(question ?? '')}</div><dl><dt>right</dt><dd>${right}</dd>${lines.join('')}</dl></article>`;
}

function verdict({ score }: Said): string {
  if (score === null) return 'undecided';
  return score < 0.5 ? 'wrong' : 'right';
}

function spoken({ prediction, score, error }: Said): string {
  if (error !== undefined) return `<span class="empty">${escapeHtml(error)}</span>`;
  const share =
    score === null || score === 0 || score === 1 ? '' : ` <span class="kind">${score.toFixed(2)}</span>`;
  if (prediction === null || prediction.trim() === '') return `<span class="empty">no answer</span>${share}`;
  return `${escapeHtml(prediction)}${share}`;
}

export function distinct(answers: readonly string[]): string[] {
  return [...new Set(answers)];
}
