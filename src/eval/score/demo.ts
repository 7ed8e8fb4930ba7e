/** The demonstration benchmark: an answer is right when it is the drawn text itself, outer space aside. */
import { strip } from '../python/whitespace.ts';
import { optionalText, type Row } from '../row.ts';

export function scoreDemo(prediction: string, answers: readonly string[]): number {
  return answers.some((answer) => strip(answer) === strip(prediction)) ? 1 : 0;
}

/** The parts that a question counts into, such as "en: like DocVQA" and "en: reading and look-up". */
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
