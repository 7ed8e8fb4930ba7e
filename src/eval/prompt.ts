/**
 * The question as CogVLM2 is asked it in VLMEvalKit, before the chat template. Only multiple-choice questions
 * (MMBench, MMMU) get a text of the model's own; an open question of MMMU asks for a letter that is not there.
 */
import type { Benchmark, Profile } from './benchmarks.ts';
import { choices, optionalText, type Row, text } from './row.ts';

const shortPhrase = '\nAnswer the question using a single word or phrase.';
const letterInstruction = "Answer with the option's letter from the given choices directly.";
const chineseLetterInstruction = '请直接回答选项字母。';
const chinese = /[\u4e00-\u9fff]/;

export function promptOf(benchmark: Benchmark, row: Row, profile: Profile): string {
  switch (benchmark) {
    case 'textvqa':
    case 'docvqa':
    case 'chartqa':
      return `${text(row, 'question')}${shortPhrase}${profile === 'vlmevalkit-2024' ? '\n' : ''}`;
    case 'ocrbench':
    case 'mmvet':
    case 'demo':
      return text(row, 'question');
    case 'mmbench':
    case 'mmmu':
      return choicePrompt(row);
  }
}

/** The language of the instruction goes by the text, one Chinese character anywhere; the last line never does. */
function choicePrompt(row: Row): string {
  const hint = optionalText(row, 'hint');
  const options = [...choices(row)].map(([letter, option]) => `${letter}. ${option}`);
  const asked = [...(hint === undefined ? [] : [hint]), text(row, 'question'), ...options].join('\n');
  const instruction = chinese.test(asked) ? chineseLetterInstruction : letterInstruction;
  return `${asked}\n${instruction}\nShort Answer.`;
}
