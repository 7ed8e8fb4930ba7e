/**
 * ChartQA: relaxed accuracy. Numbers may differ by 5% of the target; other texts must be equal in lower case. `official` (the
 * function of pix2struct) compares the texts as they are. VLMEvalKit strips the prediction, and a list literal is several
 * answers. Until September 2025 it swapped the two arguments, so the tolerance was 5% of the prediction: `vlmevalkit-2024`.
 */
import { CogVLM2Error } from '../../errors.ts';
import type { Profile } from '../benchmarks.ts';
import { parseListLiteral } from '../python/parse.ts';
import { parseFloatAsPython, str, strip } from '../python/values.ts';

export function scoreChartQa(prediction: string, answers: readonly string[], profile: Profile): number {
  const official = profile === 'official';
  const targets = official
    ? answers
    : answers.flatMap((answer) => parseListLiteral(answer)?.map(str) ?? [answer]);
  if (targets.length === 0) throw new CogVLM2Error('invalid_value', '0 answers; at least one is needed');
  const said = official ? prediction : strip(prediction);
  const swapped = profile === 'vlmevalkit-2024';
  return targets.some((target) => (swapped ? isClose(target, said) : isClose(said, target))) ? 1 : 0;
}

/** Computed in doubles without an allowance: 1.05 is wrong for 1. A target of 0 is compared as text. */
function isClose(prediction: string, target: string): boolean {
  const predicted = toNumber(prediction);
  const wanted = toNumber(target);
  if (predicted !== undefined && wanted !== undefined && wanted !== 0) {
    return Math.abs(predicted - wanted) / Math.abs(wanted) <= 0.05;
  }
  return prediction.toLowerCase() === target.toLowerCase();
}

function toNumber(text: string): number | undefined {
  if (!text.endsWith('%')) return parseFloatAsPython(text);
  const value = parseFloatAsPython(text.replace(/%+$/, ''));
  return value === undefined ? undefined : value / 100;
}
