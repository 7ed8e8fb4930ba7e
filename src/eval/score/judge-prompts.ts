/**
 * The exact prompts of the references, because scores depend on them: MM-Vet's table of examples
 * (https://github.com/yuweihao/MM-Vet) and VLMEvalKit's request to match an answer with an option.
 */

import type { Profile } from '../benchmarks.ts';
import type { Choices } from './option-match.ts';

const meme = `This meme is poking fun at the fact that the names of the countries
Iceland and Greenland are misleading. Despite its name, Iceland is known for its beautiful green landscapes,
while Greenland is mostly covered in ice and snow. The meme is saying that the person has trust issues
because the names of these countries do not accurately represent their landscapes.`;

/** With the line breaks of VLMEvalKit. */
const mmvetTable = `
Compare the ground truth and prediction from AI models, to give a correctness score for the prediction.
<AND> in the ground truth means it is totally right
only when all elements in the ground truth are present in the prediction,
and <OR> means it is totally right when any one element in the ground truth is present in the prediction.
The correctness score is 0.0 (totally wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 (totally right).
Just complete the last space of the correctness score.

Question | Ground truth | Prediction | Correctness
--- | --- | --- | ---
What is x in the equation? | -1 <AND> -5 | x = 3 | 0.0
What is x in the equation? | -1 <AND> -5 | x = -1 | 0.5
What is x in the equation? | -1 <AND> -5 | x = -5 | 0.5
What is x in the equation? | -1 <AND> -5 | x = -5 or 5 | 0.5
What is x in the equation? | -1 <AND> -5 | x = -1 or x = -5 | 1.0
Can you explain this meme? | ${meme} |
The meme talks about Iceland and Greenland. It's pointing out that despite their names,
Iceland is not very icy and Greenland isn't very green. | 0.4
Can you explain this meme? | ${meme} |
The meme is using humor to point out the misleading nature of Iceland's and Greenland's names.
Iceland, despite its name, has lush green landscapes while Greenland is mostly covered in ice and snow.
The text 'This is why I have trust issues' is a playful way to suggest
that these contradictions can lead to distrust or confusion.
The humor in this meme is derived from the unexpected contrast between the names of the countries
and their actual physical characteristics. | 1.0
`;

/** In the official script each row is one line. */
const mmvetTableUnwrapped = mmvetTable
  .slice(1)
  .replace(/(?<!\n)\n(?!\n|Question \||---|What is x|Can you|$)/g, ' ');

/** @param row from `judgeRow` */
export function mmvetPrompt(row: string, profile: Profile): string {
  return `${profile === 'official' ? mmvetTableUnwrapped : mmvetTable}\n${row}`;
}

/** The official script adds this from the second call on. */
export const mmvetRetry = '\nPredict the correctness of the answer (digit): ';

/** In Chinese if the question has a Chinese character. */
export function optionPrompt(question: string, choices: Choices, prediction: string): string {
  const options = [...choices].map(([letter, option]) => `${letter}. ${option}\n`).join('');
  const listed = `There are several options: \n${options}`;
  return /[\u4e00-\u9fff]/.test(question)
    ? chineseOptionPrompt(question, listed, prediction)
    : englishOptionPrompt(question, listed, prediction);
}

function englishOptionPrompt(question: string, options: string, prediction: string): string {
  return `You are an AI assistant who will help me to match an answer with several options of a single-choice question. \
You are provided with a question, several options, and an answer, and you need to find which option is most similar to the answer. \
If the meaning of all options are significantly different from the answer, output Z. \
Your should output a single uppercase character in A, B, C, D (if they are valid options), and Z. \n\
Example 1: \nQuestion: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\n\
Answer: a cute teddy bear\nYour output: A\n\
Example 2: \nQuestion: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\n\
Answer: Spider\nYour output: Z\n\
Example 3: \nQuestion: ${question}?\nOptions: ${options}\nAnswer: ${prediction}\nYour output: `;
}

function chineseOptionPrompt(question: string, options: string, prediction: string): string {
  return `你是一个帮助我匹配答案与单选题中多个选项的 AI 助手。\
你会被提供：一个问题，多个选项，一个答案。你的任务是找到与答案意义最相近的选项。\
如果所有选项的意义都与答案显著不同，则输出 Z。\
你应该输出一个单个的大写字母，例如 A, B, C, D（如果它们是有效选项），或 Z。\
例 1:问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n答案: 一只可爱的泰迪熊\n输出: A\n\
例 2: \n问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n答案: 蜘蛛\n输出: Z\n\
例 3: \n问题: ${question}?\n选项: ${options}\n答案: ${prediction}\n输出: `;
}
