/**
 * MM-Vet: a judge model gives 0.0 to 1.0. Here is all of it that needs no judge: the row a judge is shown, how its
 * replies are read and when it is asked again, the sums, and exact matching, which decides what it can.
 */
import type { Profile } from '../benchmarks.ts';
import { groupBy } from '../group-by.ts';
import { parseFloatAsPython } from '../python/float.ts';
import { strip } from '../python/whitespace.ts';

/** The last row of the judge's table; nothing is escaped, and `<AND>` that has spaces already gets two. */
export function judgeRow(question: string, answer: string, prediction: string): string {
  const padded = answer.replaceAll('<AND>', ' <AND> ').replaceAll('<OR>', ' <OR> ');
  return `${question} | ${padded} | ${prediction} | `;
}

export interface Judgement {
  /** Null where the replies ended before one could be read and before the last try. */
  readonly score: number | null;
  readonly calls: number;
  readonly temperatures: readonly number[];
  /** The official script asks more clearly from the second call on. */
  readonly retrySuffix: boolean;
}

const schedules = { official: [0, 0, 0.5, 1, 1.5, 2], vlmevalkit: [0, 0.5, 1, 1.5, 2] } as const;

/** Temperatures of the calls that the profile makes at most. */
export function judgeSchedule(profile: Profile): readonly number[] {
  return schedules[profile === 'official' ? 'official' : 'vlmevalkit'];
}

/** Reads replies in the order of the calls; 0 when none of as many as the profile asks for is a score. */
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

/** The official script takes the first word, VLMEvalKit the whole reply. NaN passes both of their checks, not ours. */
function readReply(reply: string, profile: Profile): number | undefined {
  const value = parseFloatAsPython(profile === 'official' ? strip(reply.split(' ')[0]!) : reply);
  return value !== undefined && value >= 0 && value <= 1 ? value : undefined;
}

/** 1 where the prediction is one of the `<OR>` answers but for case, outer space and a final period; else undecided. */
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
  /** Per cent; null where no question has the capability. */
  readonly acc: number | null;
}

export interface Graded {
  /** Capabilities, with commas between. */
  readonly category: string;
  readonly score: number;
}

const capabilities = ['rec', 'ocr', 'know', 'gen', 'spat', 'math'];

/**
 * Per capability over the questions that have it, and over all. VLMEvalKit keeps capabilities and combinations in
 * one table, so a question with a single capability counts twice in the row of that capability.
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

/** Per combination of capabilities: as a set in the official script, as it is written in VLMEvalKit. */
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
