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
import { mmvetPrompt, mmvetRetry, optionPrompt } from './judge-prompts.ts';
import { judgeRow, judgeSchedule, readJudge } from './mmvet.ts';
import { matchOption } from './option-match.ts';
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
