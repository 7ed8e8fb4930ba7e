/**
 * The prompts of VLMEvalKit for CogVLM2, before the chat template. Only multiple-choice benchmarks (MMBench, MMMU) have a
 * prompt of their own. It asks for a letter even if a question of MMMU is open and has no options.
 */
import type { Benchmark, Profile } from '../benchmarks.ts';
import { choices, optionalText, type Row, text } from '../row.ts';

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

/** One Chinese character anywhere in the text makes the instruction Chinese. The last line is always English. */
function choicePrompt(row: Row): string {
  const hint = optionalText(row, 'hint');
  const options = [...choices(row)].map(([letter, option]) => `${letter}. ${option}`);
  const asked = [...(hint === undefined ? [] : [hint]), text(row, 'question'), ...options].join('\n');
  const instruction = chinese.test(asked) ? chineseLetterInstruction : letterInstruction;
  return `${asked}\n${instruction}\nShort Answer.`;
}
