/**
 * OCRBench: one point where an answer is part of the prediction. Handwritten formulas are compared without
 * spaces and with their case. What is a formula: the official script asks the data set's name, VLMEvalKit the
 * category.
 */
import type { Profile } from '../benchmarks.ts';
import { strip } from '../python/whitespace.ts';

export interface OcrBenchQuestion {
  readonly answers: readonly string[];
  /** `type`, `question_type` or `category` of the files. */
  readonly category?: string | undefined;
  /** `dataset_name` or `dataset` of the files. */
  readonly dataset?: string | undefined;
}

const formulas = 'Handwritten Mathematical Expression Recognition';

export function scoreOcrBench(prediction: string, question: OcrBenchQuestion, profile: Profile): number {
  const fold = isFormula(question, profile) ? foldFormula : foldText;
  const folded = fold(prediction);
  return question.answers.some((answer) => folded.includes(fold(answer))) ? 1 : 0;
}

/** A file that has only one of the two fields is scored by the one it has. */
function isFormula({ category, dataset }: OcrBenchQuestion, profile: Profile): boolean {
  const byName = dataset === undefined ? undefined : dataset === 'HME100k';
  const byCategory = category === undefined ? undefined : category === formulas;
  return (profile === 'official' ? (byName ?? byCategory) : (byCategory ?? byName)) ?? false;
}

function foldFormula(text: string): string {
  return strip(text).replaceAll('\n', ' ').replaceAll(' ', '');
}

function foldText(text: string): string {
  return strip(text.toLowerCase()).replaceAll('\n', ' ');
}

const recognition = 'Text Recognition';
/** The five groups of the report, and the sub-categories that count into the first of them. */
const groups = [
  recognition,
  'Scene Text-centric VQA',
  'Doc-oriented VQA',
  'Key Information Extraction',
  formulas,
] as const;
const recognitionKinds = ['Regular', 'Irregular', 'Artistic', 'Handwriting', 'Digit String', 'Non-Semantic'];

function groupOf(category: string | undefined): string | undefined {
  if (recognitionKinds.some((kind) => category === `${kind} ${recognition}`)) return recognition;
  return category === 'Handwriting Recognition' || category === 'Digit String Recognition'
    ? recognition
    : groups.find((group) => group === category);
}

/** Points per group, their sum (out of 1000 on the whole benchmark), and that sum out of 100. */
export function sumOcrBench(
  scored: readonly { category?: string | undefined; score: number }[],
): Record<string, number> {
  const sums = new Map<string, number>(groups.map((group) => [group, 0]));
  for (const { category, score } of scored) {
    const group = groupOf(category) ?? category ?? 'no category';
    sums.set(group, (sums.get(group) ?? 0) + score);
  }
  const total = scored.reduce((sum, { score }) => sum + score, 0);
  return { ...Object.fromEntries(sums), 'Final Score': total, 'Final Score Norm': total / 10 };
}
