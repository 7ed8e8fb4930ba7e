/** Estimates the tokens of a run before it starts, because servers charge for them. */

import { readImageHeader } from '../../image/decode.ts';
import { isItemError } from '../../run/items.ts';
import type { DataSet, PlannedQuestion } from '../data/data-set.ts';
import type { Settings } from '../predictions/schema.ts';
import { promptOf } from './prompt.ts';

export interface Estimate {
  /** Without retries. */
  readonly requests: number;
  readonly textTokens: number;
  readonly imageTokens: number;
  /** The name of the formula for image tokens, such as "OpenAI's". */
  readonly formula: string;
  /** Maximum; null if the run does not limit the length of an answer. */
  readonly outputTokens: number | null;
  /** Number of questions that were read for the estimate. */
  readonly sampled: number;
}

/** Reading every image would take minutes for the largest files. */
const maxSampled = 32;

/** From a sample of the questions, evenly spaced. Questions that cannot be read count as nothing. */
export async function estimateOf(
  data: DataSet,
  waiting: readonly PlannedQuestion[],
  { benchmark, profile, images, maxTokens }: Pick<Settings, 'benchmark' | 'profile' | 'images' | 'maxTokens'>,
  formula: ImageFormula,
): Promise<Estimate> {
  const requests = waiting.length;
  const sampled = Math.min(maxSampled, requests);
  const sample = Array.from({ length: sampled }, (_, i) => waiting[Math.floor((i * requests) / sampled)]!);
  let [text, image] = [0, 0];
  for await (const question of data.questions(sample)) {
    if ('error' in question) continue;
    try {
      text += textTokens(promptOf(benchmark, question.row, profile));
      const shown = images === 'all' ? question.imageCount : Math.min(1, question.imageCount);
      for (let i = 0; i < shown; i++) {
        const { width, height } = await readImageHeader(await question.image(i));
        image += formula.tokens(width, height);
      }
    } catch (error) {
      if (!isItemError(error)) throw error;
    }
  }
  const ofAll = (tokens: number) => (sampled === 0 ? 0 : Math.round((tokens * requests) / sampled));
  return {
    requests,
    textTokens: ofAll(text),
    imageTokens: ofAll(image),
    formula: formula.name,
    outputTokens: maxTokens === null ? null : maxTokens * requests,
    sampled,
  };
}

/** About four letters are a token; a Chinese, Japanese or Korean character is one. */
export function textTokens(text: string): number {
  const wide = text.match(/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/g)?.length ?? 0;
  return wide + Math.ceil((text.length - wide) / 4);
}

/** How a family of models counts an image. */
export interface ImageFormula {
  readonly name: string;
  /** @param width pixels @param height pixels */
  tokens(width: number, height: number): number;
}

/** The first entry whose pattern matches the name of the model is used. Sources: docs/eval.md. */
const formulas: readonly { readonly models: RegExp; readonly formula: ImageFormula }[] = [
  { models: /claude/i, formula: { name: "Anthropic's", tokens: claude } },
  { models: /mini-?gemini|\bmgm\b/i, formula: { name: "Mini-Gemini's", tokens: () => 576 } },
  { models: /gemini/i, formula: { name: "Google's", tokens: gemini } },
  { models: /qwen/i, formula: { name: "Qwen-VL's", tokens: qwen } },
  { models: /internvl/i, formula: { name: "InternVL's", tokens: internvl } },
  {
    models: /llava-?(?:v?1\.6|next)|llama3-llava-next/i,
    formula: { name: "LLaVA-NeXT's", tokens: llavaNext },
  },
  { models: /llava/i, formula: { name: "LLaVA-1.5's", tokens: () => 576 } },
];

/** The formula of OpenAI for names that are not known. */
export function imageFormulaOf(model: string): ImageFormula {
  const known = formulas.find(({ models }) => models.test(model))?.formula;
  return known ?? { name: "OpenAI's", tokens: openai };
}

/** Width and height after shrinking the longer side to `longest` pixels. */
export function within(
  width: number,
  height: number,
  longest = Number.POSITIVE_INFINITY,
): [width: number, height: number] {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [width * scale, height * scale];
}

/** High detail: into 2,048 x 2,048, the shorter side to 768, then tiles of 512. */
function openai(width: number, height: number): number {
  const [wide, high] = within(width, height, 2048);
  const scale = Math.min(1, 768 / Math.min(wide, high));
  return 85 + 170 * Math.ceil((wide * scale) / 512) * Math.ceil((high * scale) / 512);
}

/** The longer side to 1,568, then 750 pixels a token, at most about 1,600. */
function claude(width: number, height: number): number {
  const [wide, high] = within(width, height, 1568);
  return Math.min(1600, Math.ceil((wide * high) / 750));
}

/** Tiles of 768; an image of at most 384 x 384 is one. */
function gemini(width: number, height: number): number {
  if (width <= 384 && height <= 384) return 258;
  return 258 * Math.ceil(width / 768) * Math.ceil(height / 768);
}

/** Patches of 28 x 28, at most 1,280, and two marks. */
function qwen(width: number, height: number): number {
  const patches = Math.ceil(width / 28) * Math.ceil(height / 28);
  return Math.min(1280, Math.max(4, patches)) + 2;
}

/** 1 to 12 tiles of 448 in the grid nearest to the image's ratio, and a thumbnail if there are several: 256 tokens each. */
function internvl(width: number, height: number): number {
  const ratio = width / height;
  let best = { columns: 1, rows: 1, difference: Math.abs(ratio - 1) };
  for (let tiles = 2; tiles <= 12; tiles++) {
    for (let columns = 1; columns <= tiles; columns++) {
      if (tiles % columns !== 0) continue;
      const rows = tiles / columns;
      const difference = Math.abs(ratio - columns / rows);
      // Of two grids with the same ratio, the larger one is used if the image has more than half of its pixels.
      const isLarger = difference === best.difference && width * height > 0.5 * 448 * 448 * tiles;
      if (difference < best.difference || isLarger) best = { columns, rows, difference };
    }
  }
  const tiles = best.columns * best.rows;
  return 256 * (tiles === 1 ? 1 : tiles + 1);
}

/** A thumbnail of 576 tokens, and up to four tiles of 336 in the grid that keeps most pixels. At most 2,880. */
function llavaNext(width: number, height: number): number {
  const grids = [
    [1, 2],
    [2, 1],
    [2, 2],
    [3, 1],
    [1, 3],
  ] as const;
  const used = grids.map(([columns, rows]) => {
    const scale = Math.min((columns * 336) / width, (rows * 336) / height);
    const kept = Math.min(Math.floor(width * scale) * Math.floor(height * scale), width * height);
    return { tiles: columns * rows, kept, wasted: columns * rows * 336 * 336 - kept };
  });
  const [best] = used.sort((a, b) => b.kept - a.kept || a.wasted - b.wasted);
  return 576 * (best!.tiles + 1);
}
