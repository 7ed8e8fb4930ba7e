/**
 * OCRBench: one point if an answer is part of the prediction. Handwritten formulas are compared without spaces and with case.
 * The official script recognizes formulas by the name of the data set, VLMEvalKit by the category.
 */
import type { Profile } from '../benchmarks.ts';
import { strip } from '../python/values.ts';

export interface OcrBenchQuestion {
  readonly answers: readonly string[];
  /** The field `type`, `question_type` or `category`. */
  readonly category?: string | undefined;
  /** The field `dataset_name` or `dataset`. */
  readonly dataset?: string | undefined;
}

const formulas = 'Handwritten Mathematical Expression Recognition';

export function scoreOcrBench(prediction: string, question: OcrBenchQuestion, profile: Profile): number {
  const fold = isFormula(question, profile) ? foldFormula : foldText;
  const folded = fold(prediction);
  return question.answers.some((answer) => folded.includes(fold(answer))) ? 1 : 0;
}

/** If a file has only one of the two fields, it decides. */
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
/** The five groups of the report. The first one has sub-categories. */
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

/** Points of each group, their sum (of 1000 in the whole benchmark), and the sum scaled to 100. */
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
