/**
 * Greedy answers of the engine to a drawn folder's questions, counted by language and task:
 *
 *     npx tsx training/score.ts MODEL FOLDER [ANSWERS.jsonl] [--image-size N] [--adapter FOLDER]
 *
 * ANSWERS.jsonl, when given, is what `score.py` wrote for the same checkpoint and folder: the share of answers that
 * PyTorch and the engine give alike is then printed too.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { CogVLM2 } from '../src/index.ts';

const itemSchema = z.object({
  image: z.string(),
  scene: z.string(),
  task: z.string(),
  language: z.string(),
  question: z.string(),
  answer: z.string(),
  said: z.string().optional(),
});
type Item = z.infer<typeof itemSchema>;

class Tally {
  readonly #counts = new Map<string, { right: number; all: number }>();

  add(key: string, right: boolean): void {
    const count = this.#counts.get(key) ?? { right: 0, all: 0 };
    count.right += right ? 1 : 0;
    count.all += 1;
    this.#counts.set(key, count);
  }

  print(): void {
    for (const [key, { right, all }] of [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      console.log(`${key.padEnd(30)} ${right} of ${all}  ${((100 * right) / all).toFixed(1)}%`);
    }
  }
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'image-size': { type: 'string' }, adapter: { type: 'string' } },
});
const [modelPath, folder, answersPath] = positionals;
const imageSize = flags['image-size'];
if (modelPath === undefined || folder === undefined) {
  console.error(
    'usage: npx tsx training/score.ts MODEL FOLDER [ANSWERS.jsonl] [--image-size N] [--adapter FOLDER]',
  );
  process.exit(2);
}
const items = readItems(path.join(folder, 'questions.jsonl'));
const reference = new Map(
  answersPath === undefined ? [] : readItems(answersPath).map((item) => [keyOf(item), item.said]),
);
const tally = new Tally();
const alike = new Tally();

using model = await CogVLM2.load({
  model: modelPath,
  ...(imageSize !== undefined && { imageSize: Number(imageSize) }),
  ...(flags.adapter !== undefined && { adapter: flags.adapter }),
});
let done = 0;
for (const [file, questions] of byImage(items)) {
  using image = await model.encodeImage(path.join(folder, file));
  for (const item of questions) {
    const { text } = await model.ask(image, item.question, { maxTokens: 48 }).result();
    const right = text.trim() === item.answer;
    const kind = ['read', 'lookup'].includes(item.task) ? 'reading and look-up' : 'the rest';
    for (const key of [`task ${item.task}`, `image ${item.scene}`, kind])
      tally.add(`${item.language} ${key}`, right);
    const said = reference.get(keyOf(item));
    if (said !== undefined) alike.add('the same as PyTorch', said === text.trim());
  }
  done += questions.length;
  if (done % 200 < questions.length) console.error(`${done} of ${items.length} questions`);
}
tally.print();
alike.print();

function readItems(file: string): Item[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => itemSchema.parse(JSON.parse(line)));
}

function keyOf({ image, question }: Item): string {
  return `${image}\n${question}`;
}

function byImage(all: readonly Item[]): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of all) groups.set(item.image, [...(groups.get(item.image) ?? []), item]);
  return groups;
}
