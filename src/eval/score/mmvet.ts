/**
 * MM-Vet: a judge model scores answers from 0.0 to 1.0. This file has what needs no judge: the row of the judge's table, how
 * replies are parsed and when the judge is asked again, the sums, and exact matching.
 */
import type { Profile } from '../benchmarks.ts';
import { parseFloatAsPython, strip } from '../python/values.ts';
import { groupBy } from '../row.ts';

/** The last row of the judge's table. Nothing is escaped; `<AND>` gets spaces even if it has some. */
export function judgeRow(question: string, answer: string, prediction: string): string {
  const padded = answer.replaceAll('<AND>', ' <AND> ').replaceAll('<OR>', ' <OR> ');
  return `${question} | ${padded} | ${prediction} | `;
}

export interface Judgement {
  /** Null if no reply could be parsed and attempts are left. */
  readonly score: number | null;
  readonly calls: number;
  readonly temperatures: readonly number[];
  /** The official script adds a sentence from the second call on. */
  readonly retrySuffix: boolean;
}

const schedules = { official: [0, 0, 0.5, 1, 1.5, 2], vlmevalkit: [0, 0.5, 1, 1.5, 2] } as const;

/** The temperatures of all calls that the profile allows. */
export function judgeSchedule(profile: Profile): readonly number[] {
  return schedules[profile === 'official' ? 'official' : 'vlmevalkit'];
}

/** Parses replies in the order of the calls. The score is 0 if all calls of the profile gave none. */
export function readJudge(replies: readonly string[], profile: Profile): Judgement {
  const schedule = judgeSchedule(profile);
  let score: number | undefined;
  let calls = 0;
  while (score === undefined && calls < Math.min(schedule.length, replies.length)) {
    score = readReply(replies[calls]!, profile);
    calls += 1;
  }
  return {
    score: score ?? (calls === schedule.length ? 0 : null),
    calls,
    temperatures: schedule.slice(0, calls),
    retrySuffix: profile === 'official' && calls > 1,
  };
}

/** The official script parses the first word, VLMEvalKit the whole reply. Both accept NaN; this function does not. */
function readReply(reply: string, profile: Profile): number | undefined {
  const value = parseFloatAsPython(profile === 'official' ? strip(reply.split(' ')[0]!) : reply);
  return value !== undefined && value >= 0 && value <= 1 ? value : undefined;
}

/** 1 if the prediction equals an `<OR>` answer, apart from case, outer space and a final period; otherwise undecided. */
export function matchExactly(prediction: string, answer: string): number | null {
  const alternatives = answer.includes('<AND>') ? [] : answer.split('<OR>');
  return alternatives.some((alternative) => fold(alternative) === fold(prediction)) ? 1 : null;
}

function fold(text: string): string {
  return strip(text.toLowerCase()).replace(/\.$/, '');
}

export interface CapabilityScore {
  readonly Category: string;
  readonly tot: number;
  /** Percentage; null if no question has the capability. */
  readonly acc: number | null;
}

export interface Graded {
  /** Capabilities, separated by commas. */
  readonly category: string;
  readonly score: number;
}

const capabilities = ['rec', 'ocr', 'know', 'gen', 'spat', 'math'];

/**
 * The score of each capability over the questions that have it, and of all questions. VLMEvalKit has capabilities and
 * combinations in one table, so a question with a single capability counts twice for that capability.
 */
export function sumCapabilities(graded: readonly Graded[], profile: Profile): CapabilityScore[] {
  const rows = capabilities.map((name) => row(name, havingCapability(graded, name, profile)));
  return [...rows, row('Overall', graded)];
}

function havingCapability(graded: readonly Graded[], name: string, profile: Profile): Graded[] {
  if (profile === 'official') return graded.filter(({ category }) => namesIn(category).includes(name));
  const having = graded.filter(({ category }) => category.includes(name));
  return [...having, ...having.filter(({ category }) => category === name)];
}

/** The score of each combination of capabilities. The official script compares sets, VLMEvalKit the text. */
export function sumCombinations(graded: readonly Graded[], profile: Profile): CapabilityScore[] {
  const key = ({ category }: Graded) => {
    if (profile !== 'official') return category.replaceAll(',', '_');
    return [...new Set(namesIn(category))].sort().join('_');
  };
  const rows = [...groupBy(graded, key)].map(([name, group]) => {
    const shared = profile !== 'official' && capabilities.includes(name);
    return row(name, shared ? havingCapability(graded, name, profile) : group);
  });
  return [...rows, row('Overall', graded)];
}

function namesIn(category: string): string[] {
  return category.split(',').map((name) => strip(name));
}

function row(name: string, graded: readonly Graded[]): CapabilityScore {
  const sum = graded.reduce((total, { score }) => total + score, 0);
  return {
    Category: name,
    tot: graded.length,
    acc: graded.length === 0 ? null : (sum / graded.length) * 100,
  };
}
