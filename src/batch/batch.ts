/** A whole batch: sources in, a file of answers out, going on where an earlier run stopped. */

import { BatchOutput } from './output.ts';
import { parsePages } from './page-list.ts';
import { type RunOptions, runAll } from './run.ts';

export interface BatchOptions extends Omit<RunOptions, 'output' | 'wantsPage'> {
  /** Path of the answers. */
  readonly file: string;
  /** Everything that answers depend on, as JSON: a later run with others is refused. */
  readonly settings: object;
  /** Which pages of every PDF, such as "1,3-5"; all of them when not given. */
  readonly pages: string | undefined;
  /** Whether to ask again what an earlier run got an error for. */
  readonly retryErrors: boolean;
}

/** Lines of the file. */
export interface BatchCounts {
  readonly answers: number;
  readonly errors: number;
  /** How many of both were there before. */
  readonly earlier: number;
}

/**
 * @throws CogVLM2Error invalid_value (other settings, a file that is something else, pages), write_failed, and what
 * ends the run: `aborted`, or a failure of the model or the machine. What was answered by then is kept.
 */
export async function batch({
  file,
  settings,
  pages,
  retryErrors,
  ...options
}: BatchOptions): Promise<BatchCounts> {
  const wantsPage = pages === undefined ? () => true : parsePages(pages);
  using output = new BatchOutput(file, settings, retryErrors);
  const earlier = output.answers + output.errors;
  await runAll({ ...options, output, wantsPage });
  return { answers: output.answers, errors: output.errors, earlier };
}
