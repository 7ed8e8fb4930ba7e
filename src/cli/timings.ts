/** The block that `--verbose` and `/stats` show after an answer. */
import type { Answer } from '../generate/types.ts';
import { formatCount, formatDuration, formatRate, renderTable } from './format.ts';

/** Work done before the question was put: loading the model, encoding a picture that several questions share. */
export interface Before {
  loadMs?: number;
  pictureMs?: number;
}

export function renderTimings(answer: Answer, before: Before = {}): string {
  const { timings: t, usage: u } = answer;
  const freshTokens = u.promptTokens - u.cachedTokens;
  const rows: string[][] = [];
  const stage = (name: string, ms: number | undefined, detail = '') => {
    if (ms !== undefined && ms > 0) rows.push([name, formatDuration(ms), detail]);
  };
  stage('load', before.loadMs);
  stage('picture', before.pictureMs, 'read and encoded once for all questions');
  stage('decode picture', t.imageMs);
  stage('vision', t.visionMs, `${formatCount(u.imageTokens)} image tokens`);
  if (answer.imageOrigin === 'disk') rows.push(['vision', 'not run', 'from the image cache on disk']);
  stage(
    'prefill',
    t.prefillMs,
    `${formatCount(freshTokens)} tokens, ${formatRate(freshTokens, t.prefillMs)} a second`,
  );
  stage('first token', t.firstTokenMs, 'after the question');
  stage(
    'decode',
    t.decodeMs,
    `${formatCount(t.perTokenMs.length)} steps, ${formatRate(t.perTokenMs.length, t.decodeMs)} a second`,
  );
  stage('total', t.totalMs);
  const cached = u.cachedTokens > 0 ? `, ${formatCount(u.cachedTokens)} still known from before` : '';
  rows.push([
    'tokens',
    `${formatCount(u.promptTokens)} + ${formatCount(u.completionTokens)}`,
    `prompt (${formatCount(u.imageTokens)} of the picture${cached}) + answer`,
  ]);
  rows.push(['finished by', answer.finishReason, `seed ${answer.seed}`]);
  return renderTable(rows);
}
