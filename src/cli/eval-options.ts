/** What the commands of `eval` have in common: the profile, the judge, and where files go. */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { profiles } from '../eval/benchmarks.ts';
import type { JudgeOptions } from '../eval/score-file.ts';
import type { Context } from './command.ts';
import { flagGroup } from './flags.ts';
import { createProgress } from './progress.ts';

const inScoring = flagGroup('Scoring');

export const profileOption = {
  profile: inScoring(
    z.enum(profiles).default('official'),
    'Whose rules, where the reference scorers disagree.',
    { value: 'NAME' },
  ),
};

export const judgeOptions = {
  judge: inScoring(
    z.string().min(1).optional(),
    'OpenAI-compatible server that judges what matching leaves undecided; without it, that counts as wrong.',
    { value: 'URL' },
  ),
  judgeModel: inScoring(z.string().min(1).optional(), "The judging model's name there.", { value: 'NAME' }),
};

interface JudgeChoice {
  readonly judge?: string | undefined;
  readonly judgeModel?: string | undefined;
  readonly quiet: boolean;
}

/** @throws CogVLM2Error `invalid_value` for half of a judge. */
export async function judgeFor(
  { judge: url, judgeModel: model, quiet }: JudgeChoice,
  { terminal, library }: Context,
  signal: AbortSignal,
): Promise<({ options: JudgeOptions } & AsyncDisposable) | undefined> {
  if (url === undefined && model === undefined) return undefined;
  if (url === undefined || model === undefined) {
    throw new CogVLM2Error('invalid_value', 'A judge needs both --judge URL and --judge-model NAME.');
  }
  const key = keyFor(url, 'COGVLM2_JUDGE_KEY', terminal.env);
  const { endpoint } = await library.endpoint({ url, model, key, env: process.env });
  const progress = createProgress(terminal, quiet);
  const onProgress = (done: number, total: number) => progress.report({ stage: 'answer', done, total });
  return {
    options: { endpoint, signal, onProgress },
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

/** OpenAI's own key goes to OpenAI only. */
export function keyFor(
  url: string,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const isOpenAi = URL.canParse(url) && new URL(url).hostname === 'api.openai.com';
  return env[variable] || (isOpenAi ? env.OPENAI_API_KEY : undefined) || undefined;
}
