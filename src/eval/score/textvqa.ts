/**
 * TextVQA: VQA soft accuracy. Each annotator is left out in turn; three of the others who agree with the
 * prediction make it right. `official` is m4c, which takes ten answers and no other number.
 */
import { CogVLM2Error } from '../../errors.ts';
import type { Profile } from '../benchmarks.ts';
import { normalizeAnswer } from './vqa-normalize.ts';

export function scoreTextVqa(prediction: string, answers: readonly string[], profile: Profile): number {
  if (answers.length === 0 || (profile === 'official' && answers.length !== 10)) {
    const wanted = profile === 'official' ? 'exactly 10 answers' : 'at least one answer';
    throw new CogVLM2Error(
      'invalid_value',
      `${answers.length} answers; the ${profile} scorer takes ${wanted}`,
    );
  }
  const rules = profile === 'official' ? 'm4c' : 'vlmevalkit';
  const predicted = normalizeAnswer(prediction, rules);
  const agrees = answers.map((answer) => normalizeAnswer(answer, rules) === predicted);
  const agreeing = agrees.filter(Boolean).length;
  const accuracies = agrees.map((own) => Math.min(1, (agreeing - (own ? 1 : 0)) / 3));
  return accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / answers.length;
}
