/**
 * A benchmark's scores as bars, the best first. Widths are shares of the page and letters are not scaled, so that the
 * chart can be read on a phone and on paper.
 */
import type { Benchmark } from '../eval/benchmarks.ts';
import { benchmarkNames, shownScore } from './benchmark-names.ts';
import { escapeHtml } from './escape.ts';

export interface Bar {
  readonly name: string;
  readonly score: number;
  /** Of a number of ours; a published one has none. */
  readonly profile: string | undefined;
}

const rowHeight = 34;
/** Ours say by which rules on a line of their own. */
const kindHeight = 15;
const longestName = 34;

export function renderChart(benchmark: Benchmark, bars: readonly Bar[]): string {
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
