/** The report as one HTML file without scripts, fonts or links to other files. */

import { type Benchmark, benchmarkNames, published, shownScore } from '../benchmarks.ts';
import {
  type Bar,
  type Contents,
  type GivenAnswer,
  type PartsTable,
  publishedScore,
  type WrongAnswer,
  type WrongPage,
} from './contents.ts';
import { countsOf, type MeasuredRow, notes } from './measured.ts';

/** A data URL for each wrong answer whose image is shown. */
export type Images = ReadonlyMap<WrongAnswer, string>;

const answersOnAPage = 20;

export function renderHtml(contents: Contents, images: Images): string {
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
${contents.wrong.map((page) => renderWrong(page, contents.rows, images)).join('\n')}
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
  images: Images,
): string {
  const { title } = benchmarkNames[benchmark];
  if (total === 0) return `<h3>${title}</h3>\n<p class="soft">None.</p>`;
  const pages = Array.from({ length: Math.ceil(shown.length / answersOnAPage) }, (_, i) => {
    const from = i * answersOnAPage;
    const cards = shown.slice(from, from + answersOnAPage);
    const range = `${from + 1} to ${from + cards.length}`;
    const html = cards.map((card) => renderCard(card, rows, images.get(card)));
    return `<details${i === 0 ? ' open' : ''}><summary>${title}, ${range}</summary><div class="answers">
${html.join('\n')}
</div></details>`;
  });
  const rest = shown.length < total ? `; the first ${shown.length} are shown` : '';
  return `<h3>${title} <span class="kind">${total.toLocaleString('en-US')} wrong${rest}</span></h3>\n${pages.join('\n')}`;
}

function renderCard(
  { id, question, answers, given }: WrongAnswer,
  rows: readonly MeasuredRow[],
  url: string | undefined,
): string {
  const image = url === undefined ? '' : `<img src="${escapeHtml(url)}" alt="the image of the question">`;
  const right =
    answers.length === 0 ? '<span class="empty">not known</span>' : escapeHtml(distinct(answers).join(' | '));
  const lines = given.map(
    (one) => `<dt>${escapeHtml(rows[one.by]!.name)}</dt><dd class="${verdict(one)}">${answerHtml(one)}</dd>`,
  );
  return `<article class="card">${image}<div class="id">${escapeHtml(id)}</div><div class="question">${escapeHtml(question ?? '')}</div><dl><dt>right</dt><dd>${right}</dd>${lines.join('')}</dl></article>`;
}

function verdict({ score }: GivenAnswer): string {
  if (score === null) return 'undecided';
  return score < 0.5 ? 'wrong' : 'right';
}

function answerHtml({ prediction, score, refusal, error }: GivenAnswer): string {
  if (refusal !== undefined) return `<span class="empty">${escapeHtml(`refused: ${refusal}`)}</span>`;
  if (error !== undefined) return `<span class="empty">${escapeHtml(error)}</span>`;
  const share =
    score === null || score === 0 || score === 1 ? '' : ` <span class="kind">${score.toFixed(2)}</span>`;
  if (prediction === null || prediction.trim() === '') return `<span class="empty">no answer</span>${share}`;
  return `${escapeHtml(prediction)}${share}`;
}

export function distinct(answers: readonly string[]): string[] {
  return [...new Set(answers)];
}

const rowHeight = 34;
/** Height of the line that names the profile of a measured score. */
const kindHeight = 15;
const longestName = 34;

/** A bar chart, best score first. Widths are percentages and text is not scaled, so that it is readable on phones and paper. */
function renderChart(benchmark: Benchmark, bars: readonly Bar[]): string {
  const { title, full } = benchmarkNames[benchmark];
  const sorted = [...bars].sort((a, b) => b.score - a.score);
  let top = 0;
  const rows = sorted.map((bar) => {
    const row = renderBar(bar, top, benchmark, full);
    top += rowHeight + (bar.profile === undefined ? 0 : kindHeight);
    return row;
  });
  const label = sorted.map(({ name, score }) => `${name} ${shownScore(benchmark, score)}`).join(', ');
  return `<svg role="img" aria-label="${escapeHtml(`${title}: ${label}`)}" width="100%" height="${top}">${rows.join('')}</svg>`;
}

function renderBar({ name, score, profile }: Bar, top: number, benchmark: Benchmark, full: number): string {
  const short = name.length > longestName ? `${name.slice(0, longestName - 1)}…` : name;
  const published = profile === undefined ? '<tspan class="kind"> · published</tspan>' : '';
  const measured =
    profile === undefined
      ? ''
      : `<text class="kind" x="0" y="${top + 28}">measured, profile ${escapeHtml(profile)}</text>`;
  const y = top + 19 + (profile === undefined ? 0 : kindHeight);
  return `<g class="${profile === undefined ? 'published' : 'ours'}"><title>${escapeHtml(name)}</title><text x="0" y="${top + 13}">${escapeHtml(short)}${published}</text>${measured}<text x="100%" y="${top + 13}" text-anchor="end" class="value">${shownScore(benchmark, score)}</text><rect class="track" x="0" y="${y}" width="100%" height="8" rx="4"/><rect class="bar" x="0" y="${y}" width="${share(score, full)}%" height="8" rx="4"/></g>`;
}

function share(score: number, full: number): string {
  return ((Math.max(0, Math.min(full, score)) / full) * 100).toFixed(2);
}

/** For light and dark screens, phones and paper. */
const style = `
:root { color-scheme: light dark; --ground: #fbfaf8; --card: #fff; --ink: #1c1b19; --soft: #6b675f; --line: #e4e0d8;
  --ours: #b4441c; --published: #9aa5ae; --track: #efece6; --right: #2f7d4f; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #161513; --card: #1f1e1b; --ink: #ece9e3; --soft: #a19c92;
  --line: #35322d; --ours: #f08a5d; --published: #6f7b85; --track: #2a2825; --right: #79c596; --wrong: #f2938c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .75rem; }
p { max-width: 46rem; } .soft { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .75rem; text-align: right; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; font-size: .8125rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); min-width: 11rem; max-width: 16rem; }
tbody th { font-weight: 500; overflow-wrap: anywhere; } .kind { color: var(--soft); font-size: .75rem; font-weight: 400; }
th .kind { display: block; }
tr.ours td { font-weight: 700; } tr.ours th { font-weight: 700; border-left: 4px solid var(--ours); }
td .counts { display: block; white-space: nowrap; font-weight: 400; font-size: .6875rem; line-height: 1.3; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 10px; background: var(--card); padding: 1rem; break-inside: avoid; }
svg { display: block; overflow: visible; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .kind { fill: var(--soft); font-size: 11px; }
svg .track { fill: var(--track); } svg .published .bar { fill: var(--published); } svg .ours .bar { fill: var(--ours); }
svg .ours text, svg .value { font-weight: 600; } svg .ours .kind { font-weight: 400; }
.parts { width: fit-content; max-width: 100%; } .parts table { width: auto; } .parts th, .parts td { padding-block: .3rem; }
.parts thead th { white-space: normal; max-width: 9rem; overflow-wrap: anywhere; vertical-align: bottom; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .5rem 0; font-weight: 600; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem; padding: .5rem 0 1rem; }
.answers img { display: block; max-width: 100%; max-height: 20rem; margin: 0 auto .75rem; border-radius: 6px; background: #fff; }
.id { color: var(--soft); font-size: .75rem; overflow-wrap: anywhere; }
.question { margin: .125rem 0 .75rem; font-weight: 600; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { margin: 0; display: grid; grid-template-columns: minmax(5rem, auto) 1fr; gap: .25rem .75rem; font-size: .9375rem; }
dt { color: var(--soft); font-size: .8125rem; padding-top: .1rem; overflow-wrap: anywhere; max-width: 9rem; }
dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.right::before { content: '✓ '; color: var(--right); } .wrong::before { content: '✗ '; color: var(--wrong); }
.undecided::before { content: '? '; color: var(--soft); } .empty { color: var(--soft); font-style: italic; }
@media (max-width: 40rem) { body { padding-top: 1.25rem; } h1 { font-size: 1.35rem; }
  th, td { padding: .4rem .5rem; } th:first-child { min-width: 8.5rem; max-width: 9.5rem; font-size: .875rem; } }
@media print { :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --ours: #b4441c;
  --published: #8a949c; --track: #eee; --right: #1d6b3d; --wrong: #9c1d16; }
  body { max-width: none; padding: 0; font-size: 10pt; } .scroll { overflow: visible; border: 0; }
  th:first-child { position: static; min-width: 0; } th, td { padding: .2rem .35rem; font-size: 8.5pt; }
  .charts { grid-template-columns: 1fr 1fr; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;

/** Escapes text for HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
