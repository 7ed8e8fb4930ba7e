/**
 * A judge model for the answers of MM-Vet, and for answers that option matching leaves undecided (MMBench, and MMMU by
 * VLMEvalKit's rules). All replies are stored in a file beside the predictions, so scoring again sends no requests.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { Journal } from '../../files/journal.ts';
import type { Benchmark, Profile } from '../benchmarks.ts';
import { groupBy, idOf, optionalText, prediction, type Row, refusalOf, text } from '../row.ts';
import type { Endpoint, Sampling } from '../run/endpoint.ts';
import { judgeRow, judgeSchedule, readJudge } from './mmvet.ts';
import { type Choices, matchOption } from './option-match.ts';
import { optionsAsked } from './score-row.ts';

const keptSchema = z.object({ key: z.string(), reply: z.string() });

/** Asks the judge, and stores its replies. */
export class Judge implements Disposable {
  readonly #endpoint: Endpoint;
  readonly #signal: AbortSignal;
  readonly #replies = new Map<string, string>();
  readonly #journal: Journal;

  /** @throws CogVLM2Error `write_failed`. */
  constructor(endpoint: Endpoint, file: string, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#signal = signal;
    this.#journal = new Journal(file, (value) => {
      const { key, reply } = keptSchema.parse(value);
      this.#replies.set(key, reply);
    });
  }

  /** `attempt` distinguishes repeated questions. The reply is empty if the server refuses the question. */
  async ask(prompt: string, sampling: Sampling, attempt: number): Promise<string> {
    const { model, url } = this.#endpoint;
    const asked = JSON.stringify([url, model, prompt, sampling.temperature, attempt]);
    const key = createHash('sha256').update(asked).digest('hex');
    const kept = this.#replies.get(key);
    if (kept !== undefined) return kept;
    const reply = await this.#reply(prompt, sampling);
    this.#replies.set(key, reply);
    this.#journal.append({ key, model, temperature: sampling.temperature, attempt, reply });
    return reply;
  }

  async #reply(prompt: string, sampling: Sampling): Promise<string> {
    try {
      return (await this.#endpoint.chat(prompt, sampling, this.#signal)).text;
    } catch (error) {
      if (error instanceof CogVLM2Error && error.code === 'endpoint_refused') return '';
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

/** The rows with the judge's decisions: `score` for MM-Vet, the letter `judged` for undecided options. */
export async function judgeRows(
  benchmark: Benchmark,
  rows: readonly Row[],
  profile: Profile,
  judge: Judge,
  onProgress: (done: number, total: number) => void,
): Promise<Row[]> {
  const judged = new Map<Row, Row>();
  const waiting = benchmark === 'mmvet' ? rows.filter(isGradable) : undecided(benchmark, rows, profile);
  for (const [done, row] of waiting.entries()) {
    onProgress(done, waiting.length);
    const verdict =
      benchmark === 'mmvet' ? await grade(row, profile, judge) : await letter(benchmark, row, profile, judge);
    if (verdict !== undefined) judged.set(row, { ...row, ...verdict });
  }
  onProgress(waiting.length, waiting.length);
  return rows.map((row) => judged.get(row) ?? row);
}

function isGradable(row: Row): boolean {
  return (
    ['question', 'answer', 'prediction'].every((name) => optionalText(row, name) !== undefined) &&
    row.score === undefined &&
    refusalOf(row) === undefined
  );
}

async function grade(row: Row, profile: Profile, judge: Judge): Promise<{ score: string } | undefined> {
  const prompt = mmvetPrompt(judgeRow(text(row, 'question'), text(row, 'answer'), prediction(row)), profile);
  const replies: string[] = [];
  for (const [attempt, temperature] of judgeSchedule(profile).entries()) {
    const asked = profile === 'official' && attempt > 0 ? prompt + mmvetRetry : prompt;
    replies.push(
      await judge.ask(asked, { temperature, maxTokens: profile === 'official' ? 3 : null }, attempt),
    );
    const { score } = readJudge(replies, profile);
    if (score !== null) return { score: String(score) };
  }
  return undefined;
}

/** Undecided rows. Questions of MMBench with a wrong or refused rotation are left out. */
function undecided(benchmark: Benchmark, rows: readonly Row[], profile: Profile): Row[] {
  const asked = rows.flatMap((row) => {
    const options = optionsAsked(benchmark, row, profile);
    return options === undefined
      ? []
      : [{ row, options, parsed: matchOption(prediction(row), options.choices, profile) }];
  });
  const groups = groupBy(asked, ({ row, options }) => options.question ?? idOf(row) ?? row);
  return [...groups.values()]
    .filter((passes) =>
      passes.every(
        ({ row, parsed, options }) =>
          refusalOf(row) === undefined && (parsed === undefined || parsed === options.right),
      ),
    )
    .flatMap((passes) => passes.filter(({ parsed }) => parsed === undefined).map(({ row }) => row));
}

const optionTries = 3;

/** The reply is matched like an answer. After three unusable replies VLMEvalKit draws a letter; here it stays undecided. */
async function letter(
  benchmark: Benchmark,
  row: Row,
  profile: Profile,
  judge: Judge,
): Promise<{ judged: string } | undefined> {
  const { choices } = optionsAsked(benchmark, row, profile)!;
  const prompt = optionPrompt(text(row, 'question'), choices, prediction(row));
  for (let attempt = 0; attempt < optionTries; attempt++) {
    const said = matchOption(await judge.ask(prompt, { temperature: 0 }, attempt), choices, profile);
    if (said !== undefined) return { judged: said };
  }
  return undefined;
}

// The exact prompts of the references, because scores depend on them: MM-Vet's table of examples
// (https://github.com/yuweihao/MM-Vet) and VLMEvalKit's request to match an answer with an option.

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
const mmvetRetry = '\nPredict the correctness of the answer (digit): ';

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
