/** Scores one row of predictions by the rules of its benchmark. */
import { CogVLM2Error } from '../../errors.ts';
import type { Benchmark, Profile } from '../benchmarks.ts';
import { strip } from '../python/values.ts';
import {
  answers,
  choices,
  isMissing,
  listedAnswers,
  optionalText,
  prediction,
  type Row,
  refusalOf,
  rotatedQuestion,
  text,
} from '../row.ts';
import { scoreChartQa } from './chartqa.ts';
import { scoreDocVqa } from './docvqa.ts';
import { mmbenchRow, mmbenchTableRow, scoreMmBench } from './mmbench.ts';
import { asOptions, type MmmuQuestion, scoreMmmu } from './mmmu.ts';
import { matchExactly, readJudge } from './mmvet.ts';
import { scoreOcrBench } from './ocrbench.ts';
import type { Choices } from './option-match.ts';
import { scoreTextVqa } from './textvqa.ts';

export interface RowScore {
  /** 0 to 1; null if undecided. */
  readonly score: number | null;
  /** MMMU and MMBench only: what was parsed from the prediction; null if undecided. */
  readonly parsed?: unknown;
  readonly undecided?: boolean;
}

/** A refusal by the server gets no point. */
export function scoreRow(benchmark: Benchmark, row: Row, profile: Profile): RowScore {
  if (refusalOf(row) !== undefined) return { score: 0 };
  switch (benchmark) {
    case 'textvqa':
      return { score: scoreTextVqa(prediction(row), listedAnswers(row), profile) };
    case 'docvqa':
      return { score: scoreDocVqa(prediction(row), listedAnswers(row)) };
    case 'chartqa':
      return { score: scoreChartQa(prediction(row), answers(row), profile) };
    case 'ocrbench':
      return { score: scoreOcrBench(prediction(row), ocrQuestion(row), profile) };
    case 'mmmu':
      return mmmu(row, profile);
    case 'mmvet':
      return mmvet(row);
    case 'mmbench':
      return mmbench(row, profile);
    case 'demo':
      return { score: scoreDemo(prediction(row), answers(row)) };
  }
}

export function ocrCategory(row: Row): string | undefined {
  return optionalText(row, 'type', 'category', 'question_type');
}

function ocrQuestion(row: Row) {
  return {
    answers: listedAnswers(row),
    category: ocrCategory(row),
    dataset: optionalText(row, 'dataset_name', 'dataset'),
  };
}

function mmmu(row: Row, profile: Profile): RowScore {
  const { score, parsed } = scoreMmmu(prediction(row), mmmuQuestion(row, profile), profile);
  return { score, parsed: writable(parsed), undecided: parsed === null };
}

function mmmuQuestion(row: Row, profile: Profile): MmmuQuestion {
  const golds = answers(row);
  const type = optionalText(row, 'question_type');
  const options = type === 'open' || type === 'short-answer' ? new Map<string, string>() : choices(row);
  if (type === 'multiple-choice' && options.size === 0) {
    throw new CogVLM2Error('invalid_value', 'has no options');
  }
  const answer =
    Array.isArray(row.answer) || golds.length !== 1 ? golds : goldOf(golds[0]!, options.size, profile);
  return { answer, choices: options, judged: optionalText(row, 'judged') };
}

interface OptionsAsked {
  readonly choices: Choices;
  readonly right: string;
  /** The question of MMBench that the row is a rotation of. */
  readonly question?: number | undefined;
}

/** The options that a judge matches an answer with; undefined if no judge is needed. */
export function optionsAsked(benchmark: Benchmark, row: Row, profile: Profile): OptionsAsked | undefined {
  try {
    if (benchmark === 'mmmu')
      return profile === 'official' ? undefined : asOptions(mmmuQuestion(row, profile));
    if (benchmark !== 'mmbench') return undefined;
    const { answer, choices } = mmbenchRow(row);
    return { choices, right: answer, question: isMissing(row.index) ? undefined : rotatedQuestion(row) };
  } catch (error) {
    if (error instanceof CogVLM2Error) return undefined; // A broken row, which the scorer names.
    throw error;
  }
}

/** The official script parses the list literal of several gold answers; VLMEvalKit keeps the text. */
function goldOf(gold: string, optionCount: number, profile: Profile): string | string[] {
  return profile === 'official' && optionCount === 0 ? listedAnswers({ answer: gold }) : gold;
}

/** JSON has no infinity and no NaN. */
function writable(parsed: unknown): unknown {
  if (Array.isArray(parsed)) return parsed.map(writable);
  if (typeof parsed !== 'number' || Number.isFinite(parsed)) return parsed;
  return Number.isNaN(parsed) ? 'nan' : parsed < 0 ? '-inf' : 'inf';
}

function mmvet(row: Row): RowScore {
  const given = optionalText(row, 'score');
  const score =
    given === undefined
      ? matchExactly(prediction(row), text(row, 'answer'))
      : readJudge([given], 'vlmevalkit').score;
  return { score, undecided: score === null };
}

function mmbench(row: Row, profile: Profile): RowScore {
  const pass = isMissing(row.index) ? mmbenchRow(row) : mmbenchTableRow(row);
  const { score, parsed } = scoreMmBench(pass, profile);
  return { score, parsed, undecided: parsed === null };
}

/** The demo benchmark: an answer is right if it equals the drawn text, apart from outer space. */
export function scoreDemo(prediction: string, answers: readonly string[]): number {
  return answers.some((answer) => strip(answer) === strip(prediction)) ? 1 : 0;
}

/** The parts of the demo benchmark that a question counts for, such as "en: like DocVQA" and "en: reading and look-up". */
export function demoGroups(row: Row): string[] {
  const language = optionalText(row, 'language') ?? 'no language';
  const imitates = optionalText(row, 'imitates') ?? 'nothing';
  const reads = ['read', 'lookup'].includes(optionalText(row, 'task') ?? '');
  return [
    `${language}: like ${imitates}`,
    ...(reads ? [`${language}: reading and look-up`] : []),
    `${language}: all`,
  ];
}
