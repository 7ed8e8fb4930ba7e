/** Scores all rows of a predictions file and sums the scores. A row that cannot be scored is reported and does not stop the others. */
import { CogVLM2Error } from '../../errors.ts';
import type { Benchmark, Profile } from '../benchmarks.ts';
import { groupBy, idOf, isMissing, isRow, isUnanswered, optionalText, type Row, refusalOf } from '../row.ts';
import { meanHits, mmbenchTableRow, scoreRotations } from './mmbench.ts';
import { subjectsOf } from './mmmu.ts';
import { sumCapabilities, sumCombinations } from './mmvet.ts';
import { sumOcrBench } from './ocrbench.ts';
import { demoGroups, ocrCategory, type RowScore, scoreRow } from './score-row.ts';

export interface ScoredRow extends RowScore {
  readonly id: string | number;
  readonly row: Row;
  /** The reason for no score. */
  readonly error?: string;
}

export interface ScoredFile {
  readonly rows: readonly ScoredRow[];
  readonly summary: Summary;
}

export function scoreRows(benchmark: Benchmark, values: readonly unknown[], profile: Profile): ScoredFile {
  const rows = values.map((value, i): ScoredRow => {
    if (!isRow(value)) {
      return { id: `row ${i + 1}`, row: {}, score: null, error: 'is not a JSON object' };
    }
    const id = idOf(value) ?? `row ${i + 1}`;
    if (typeof value.error === 'string') return { id, row: value, score: null, error: value.error };
    return { id, row: value, ...scoreOrError(benchmark, value, profile) };
  });
  return { rows, summary: summarize(benchmark, rows, profile) };
}

function scoreOrError(benchmark: Benchmark, row: Row, profile: Profile): RowScore & { error?: string } {
  try {
    return scoreRow(benchmark, row, profile);
  } catch (error) {
    if (error instanceof CogVLM2Error) return { score: null, error: error.message };
    throw error;
  }
}

export interface Summary {
  readonly benchmark: Benchmark;
  readonly profile: Profile;
  /** Percentage, or points of OCRBench; null without questions. Undecided answers count as wrong. */
  readonly score: number | null;
  readonly parts: readonly Part[];
  readonly questions: number;
  /** Answers that the reference would decide at random or by a judge. */
  readonly undecided: number;
  /** Questions that a server refused by its policy. They get no point. */
  readonly refused: number;
  /** The score without the refused questions. Absent without refusals. */
  readonly scoreOfAnswered?: number | null;
  /** Images that were encoded again to fit a server's limits. */
  readonly reencodedImages: number;
  /** Empty answers. */
  readonly empty: number;
  /** Rows with missing or wrong fields. They have no score and are not counted as questions. */
  readonly broken: number;
}

interface Part {
  readonly name: string;
  readonly score: number | null;
}

function summarize(benchmark: Benchmark, rows: readonly ScoredRow[], profile: Profile): Summary {
  const asked = rows.filter(({ error }) => error === undefined);
  const circular = benchmark === 'mmbench' ? rotations(asked, profile) : undefined;
  const counts = {
    questions: circular?.length ?? asked.length,
    undecided: (circular ?? asked).filter(({ undecided }) => undecided === true).length,
    refused: (circular?.filter(({ isRefused }) => isRefused) ?? asked.filter(isRefusal)).length,
    reencodedImages: rows.reduce((sum, { row }) => sum + reencodedImagesOf(row), 0),
    empty: asked.filter(({ row }) => isUnanswered(row)).length,
    broken: rows.filter(({ error }) => error !== undefined).length,
  };
  const scored =
    circular === undefined ? scoreAndParts(benchmark, asked, profile) : circularScoreAndParts(circular);
  if (counts.refused === 0) return { benchmark, profile, ...scored, ...counts };
  const { score: scoreOfAnswered } =
    circular === undefined
      ? scoreAndParts(
          benchmark,
          asked.filter((one) => !isRefusal(one)),
          profile,
        )
      : circularScoreAndParts(circular.filter(({ isRefused }) => !isRefused));
  return { benchmark, profile, ...scored, ...counts, scoreOfAnswered };
}

function isRefusal({ row }: ScoredRow): boolean {
  return refusalOf(row) !== undefined;
}

function reencodedImagesOf({ run }: Row): number {
  return isRow(run) && typeof run.reencodedImages === 'number' ? run.reencodedImages : 0;
}

function circularScoreAndParts(questions: ReturnType<typeof rotations>): Pick<Summary, 'score' | 'parts'> {
  const { Overall, ...others } = meanHits(questions);
  const parts = Object.entries(others).map(([name, score]) => ({ name, score: score * 100 }));
  return { score: questions.length === 0 ? null : Overall! * 100, parts };
}

function scoreAndParts(
  benchmark: Benchmark,
  asked: readonly ScoredRow[],
  profile: Profile,
): Pick<Summary, 'score' | 'parts'> {
  if (benchmark === 'ocrbench') {
    const items = asked.map(({ row, score }) => ({ category: ocrCategory(row), score: Number(score) }));
    const { 'Final Score': score, 'Final Score Norm': _, ...sums } = sumOcrBench(items);
    return {
      score: asked.length === 0 ? null : score!,
      parts: Object.entries(sums).map(([name, sum]) => ({ name, score: sum })),
    };
  }
  if (benchmark === 'mmvet') return { score: meanPercent(asked), parts: capabilities(asked, profile) };
  return { score: meanPercent(asked), parts: partsBy(asked, partNames[benchmark]) };
}

/** The parts that a row counts for, in the order of the report. */
const partNames: Partial<Record<Benchmark, (row: Row) => string[]>> = {
  chartqa: (row) => [optionalText(row, 'split', 'type', 'human_or_machine') ?? []].flat(),
  mmmu: subjectsOf,
  demo: demoGroups,
};

function partsBy(asked: readonly ScoredRow[], namesOf: ((row: Row) => string[]) | undefined): Part[] {
  if (namesOf === undefined) return [];
  const named = asked.flatMap((one) => namesOf(one.row).map((name, depth) => ({ name, depth, one })));
  const groups = [...groupBy(named, ({ name }) => name).values()];
  return groups
    .sort(([left], [right]) => left!.depth - right!.depth)
    .map((group) => ({ name: group[0]!.name, score: meanPercent(group.map(({ one }) => one)) }));
}

/** The capabilities, then the combinations of them in the questions: "exactly ocr+math". */
function capabilities(asked: readonly ScoredRow[], profile: Profile): Part[] {
  const items = asked.flatMap(({ row, score }) => {
    const names = Array.isArray(row.capability)
      ? row.capability.join(',')
      : optionalText(row, 'category', 'capability');
    return names === undefined ? [] : [{ category: names, score: Number(score ?? 0) }];
  });
  if (items.length === 0) return [];
  const combined = sumCombinations(items, profile).map((row) => ({
    ...row,
    Category: row.Category === 'Overall' ? row.Category : `exactly ${row.Category.replaceAll('_', '+')}`,
  }));
  return [...sumCapabilities(items, profile), ...combined]
    .filter(({ Category }) => Category !== 'Overall')
    .map(({ Category, acc }) => ({ name: Category, score: acc }));
}

/** Rows with an index are rotations of a question; a row without an index is a question. */
function rotations(asked: readonly ScoredRow[], profile: Profile) {
  const passes = asked.filter(({ row }) => !isMissing(row.index));
  const alone = asked.filter(({ row }) => isMissing(row.index));
  return [
    ...scoreRotations(
      passes.map(({ row }) => mmbenchTableRow(row)),
      profile,
    ),
    ...alone.map(({ row, score, undecided }, i) => ({
      index: -1 - i,
      score: Number(score),
      parsed: [],
      undecided: undecided === true,
      isRefused: refusalOf(row) !== undefined,
      category: optionalText(row, 'category'),
      ability: optionalText(row, 'l2-category', 'L2-category'),
    })),
  ];
}

function meanPercent(scored: readonly ScoredRow[]): number | null {
  if (scored.length === 0) return null;
  return (scored.reduce((sum, { score }) => sum + Number(score ?? 0), 0) / scored.length) * 100;
}
