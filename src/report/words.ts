/** The sentences at the head of the report. */
import type { MeasuredRow } from './measured.ts';

export function notes(rows: readonly MeasuredRow[]): string[] {
  const profiles = [...new Set(rows.map(({ profile }) => profile))].join(', ');
  return [
    `Rows marked "measured" were computed here, from the results files, by the scoring rules of the profile that stands with them (${profiles}); the counts under a number are what it rests on, and undecided answers count as wrong. Rows marked "published" are the table of the CogVLM2 README, whose splits, prompts and scoring scripts are not stated.`,
    'A dash is a number that is not there. Numbers are comparable only where the questions, the prompts and the rules are the same.',
  ];
}
