/** Options that the `eval` commands share: the profile and the judge. */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { profiles } from '../eval/benchmarks.ts';
import type { JudgeOptions } from '../eval/score/score-file.ts';
import type { Context } from './command.ts';
import { flagGroup } from './flags.ts';
import { createProgress } from './progress.ts';

const inScoring = flagGroup('Scoring');

export const profileOption = {
  profile: inScoring(
    z.enum(profiles).default('official'),
    'Whose rules to use where the reference scorers disagree.',
    { value: 'NAME' },
  ),
};

export const judgeOptions = {
  judge: inScoring(
    z.string().min(1).optional(),
    'OpenAI-compatible server that judges answers which matching cannot decide; by default these are wrong.',
    { value: 'URL' },
  ),
  judgeModel: inScoring(z.string().min(1).optional(), 'Name of the model at the judge.', { value: 'NAME' }),
};

interface JudgeChoice {
  readonly judge?: string | undefined;
  readonly judgeModel?: string | undefined;
  readonly quiet: boolean;
}

/** @throws CogVLM2Error `invalid_value` if only one of the two flags is given */
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

/** The variable OPENAI_API_KEY is used for OpenAI only. */
export function keyFor(
  url: string,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const isOpenAi = URL.canParse(url) && new URL(url).hostname === 'api.openai.com';
  return env[variable] || (isOpenAi ? env.OPENAI_API_KEY : undefined) || undefined;
}
