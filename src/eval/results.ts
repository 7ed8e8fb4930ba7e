/** What is said of a scored file: the results as JSON, and as a few lines for a person. */
import type { Header, Results } from './prediction.ts';
import { listedAnswers, optionalText, type Row } from './row.ts';
import type { ScoredFile, ScoredRow } from './score-rows.ts';
import type { Summary } from './summary.ts';

export function resultsOf(
  { rows, summary }: ScoredFile,
  header: Header | null,
  judge: Results['judge'],
  name: string | undefined,
): Results {
  return {
    kind: 'cogvlm2-results',
    version: 1,
    ...summary,
    parts: [...summary.parts],
    judge,
    ...(name !== undefined && { name }),
    settings: header?.settings ?? null,
    rows: rows.map(resultRow),
  };
}

function resultRow({ id, row, score, parsed, error }: ScoredRow): Results['rows'][number] {
  return {
    id: String(id),
    row: placeOf(row),
    question: shownText(row, 'question', 'query'),
    answers: answersOf(row),
    prediction: shownText(row, 'prediction', 'response', 'predict'),
    score: typeof score === 'number' ? score : null,
    ...(parsed !== undefined && { parsed }),
    ...(error !== undefined && { error }),
  };
}

function placeOf({ run }: Row): number | null {
  return typeof run === 'object' && run !== null && 'row' in run && typeof run.row === 'number'
    ? run.row
    : null;
}

/** A broken row may hold anything. */
function shownText(row: Row, ...names: string[]): string | null {
  try {
    return optionalText(row, ...names) ?? null;
  } catch {
    return null;
  }
}

function answersOf(row: Row): string[] {
  try {
    return listedAnswers(row);
  } catch {
    return [];
  }
}

const namedErrors = 10;

export function renderSummary(summary: Summary, rows: readonly ScoredRow[]): string {
  const broken = rows.filter(({ error }) => error !== undefined);
  const lines = [
    `${summary.benchmark} (${summary.profile})  ${shown(summary.score)}`,
    ...summary.parts.map(({ name, score }) => `  ${name}  ${shown(score)}`),
    `${summary.questions} questions, ${summary.undecided} undecided, ${summary.empty} empty, ${summary.broken} broken`,
    ...broken.slice(0, namedErrors).map(({ id, error }) => `  ${id}: ${error}`),
    ...(broken.length > namedErrors ? [`  and ${broken.length - namedErrors} more`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function shown(score: number | null): string {
  return score === null ? '-' : String(Math.round(score * 100) / 100);
}
