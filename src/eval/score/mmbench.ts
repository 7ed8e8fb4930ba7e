/**
 * MMBench: VLMEvalKit's matching of option letters, and circular evaluation: the rotations of a question are rows of the file
 * and count only together. Undecided answers are wrong and are counted. The official evaluation is VLMEvalKit's, so `official`
 * is `vlmevalkit`.
 */

import { CogVLM2Error } from '../../errors.ts';
import type { Profile } from '../benchmarks.ts';
import {
  choices,
  groupBy,
  integer,
  optionalText,
  prediction,
  type Row,
  refusalOf,
  rotatedQuestion,
  text,
} from '../row.ts';
import { type Choices, matchOption } from './option-match.ts';

export interface MmBenchRow {
  readonly prediction: string;
  /** The gold letter. */
  readonly answer: string;
  readonly choices: Choices;
  /** The letter that a judge found when matching found none. */
  readonly judged?: string | undefined;
  /** Whether the server refused it. It gets no point, and is not undecided. */
  readonly isRefused?: boolean;
}

export function mmbenchRow(row: Row): MmBenchRow {
  const options = choices(row);
  if (options.size === 0) throw new CogVLM2Error('invalid_value', 'has no options');
  return {
    prediction: prediction(row),
    answer: text(row, 'answer', 'GT'),
    choices: options,
    judged: optionalText(row, 'judged'),
    isRefused: refusalOf(row) !== undefined,
  };
}

export interface MmBenchScore {
  readonly score: number;
  /** "Z": none of the options. Null: undecided. */
  readonly parsed: string | null;
}

export function scoreMmBench(row: MmBenchRow, profile: Profile): MmBenchScore {
  const { prediction, answer, choices, judged, isRefused } = row;
  if (isRefused) return { parsed: null, score: 0 };
  const parsed = matchOption(prediction, choices, profile) ?? judged ?? null;
  return { parsed, score: parsed !== null && parsed === answer ? 1 : 0 };
}

export interface CircularScore {
  readonly score: number;
  readonly parsed: readonly (string | null)[];
  /** No pass is wrong, and at least one needs a judge. */
  readonly undecided: boolean;
  /** The server refused at least one pass. */
  readonly isRefused: boolean;
}

/** All passes of one question. */
export function scoreCircular(rows: readonly MmBenchRow[], profile: Profile): CircularScore {
  const passes = rows.map((row) => scoreMmBench(row, profile));
  const isRefused = rows.some((row) => row.isRefused);
  const wrong = isRefused || passes.some(({ parsed, score }) => parsed !== null && score === 0);
  return {
    score: passes.length > 0 && passes.every(({ score }) => score === 1) ? 1 : 0,
    parsed: passes.map(({ parsed }) => parsed),
    undecided: !wrong && passes.some(({ parsed }) => parsed === null),
    isRefused,
  };
}

export interface MmBenchTableRow extends MmBenchRow {
  readonly index: number;
  /** Index of the question that the row is a rotation of. */
  readonly question: number;
  readonly category?: string | undefined;
  readonly ability?: string | undefined;
  readonly split?: string | undefined;
}

/** @throws CogVLM2Error `invalid_value` for a row without an index, which is not a rotation. */
export function mmbenchTableRow(row: Row): MmBenchTableRow {
  const index = integer(row, 'index');
  const question = rotatedQuestion(row);
  if (index === undefined || question === undefined) {
    throw new CogVLM2Error('invalid_value', 'has no index');
  }
  return {
    ...mmbenchRow(row),
    index,
    question,
    category: optionalText(row, 'category'),
    ability: optionalText(row, 'l2-category', 'L2-category'),
    split: optionalText(row, 'split'),
  };
}

export interface CircularQuestion extends CircularScore {
  readonly index: number;
  readonly category?: string | undefined;
  readonly ability?: string | undefined;
  readonly split?: string | undefined;
}

/** Groups rows by question, in the order of the file. The first pass of a question gives the category. */
export function scoreRotations(rows: readonly MmBenchTableRow[], profile: Profile): CircularQuestion[] {
  const groups = groupBy(rows, ({ question }) => question);
  return [...groups].map(([index, passes]) => {
    const main = passes.find((pass) => pass.index === index) ?? passes[0]!;
    const { category, ability, split } = main;
    return { ...scoreCircular(passes, profile), index, category, ability, split };
  });
}

const abbreviations: Readonly<Record<string, string>> = {
  coarse_perception: 'CP',
  'finegrained_perception (instance-level)': 'FP-S',
  'finegrained_perception (cross-instance)': 'FP-C',
  logic_reasoning: 'LR',
  relation_reasoning: 'RR',
  attribute_reasoning: 'AR',
};

/** Mean score over questions: of all, of each ability (by its short name) and of each category. */
export function meanHits(questions: readonly CircularQuestion[]): Record<string, number> {
  return {
    Overall: mean(questions),
    ...means(questions, ({ ability }) => ability),
    ...means(questions, ({ category }) => category),
  };
}

function means(
  questions: readonly CircularQuestion[],
  nameOf: (question: CircularQuestion) => string | undefined,
): Record<string, number> {
  const named = questions.filter((question) => nameOf(question) !== undefined);
  const groups = [...groupBy(named, (question) => nameOf(question)!)];
  const rows = groups.map(([name, group]): [string, number] => [abbreviations[name] ?? name, mean(group)]);
  return Object.fromEntries(rows.sort(([left], [right]) => (left < right ? -1 : 1)));
}

function mean(questions: readonly CircularQuestion[]): number {
  return questions.reduce((sum, { score }) => sum + score, 0) / questions.length;
}
