/** Loading the model that the flags name, with progress, and with a word of warning when it is the demonstration. */
import type { CogVLM2, LoadOptions } from '../generate/cogvlm2.ts';
import type { Context } from './command.ts';
import type { ProgressReport } from './progress.ts';

export interface ModelChoice {
  model?: string | undefined;
  device?: string | undefined;
  threads?: number | undefined;
  context?: number | undefined;
  compute: 'auto' | 'f32';
  quiet: boolean;
}

export const DEMO_NOTICE = 'cogvlm2: this is a small demonstration model; its answers are often wrong.\n';

export async function openModel(
  choice: ModelChoice,
  context: Context,
  progress: ProgressReport,
  signal: AbortSignal,
): Promise<CogVLM2> {
  const { library, terminal } = context;
  const options: LoadOptions = {
    compute: choice.compute,
    signal,
    onProgress: progress.report,
    ...(choice.model !== undefined && { model: choice.model }),
    ...(choice.device !== undefined && { device: choice.device }),
    ...(choice.threads !== undefined && { threads: choice.threads }),
    ...(choice.context !== undefined && { contextSize: choice.context }),
  };
  let model: CogVLM2;
  try {
    model = await library.load(options);
  } finally {
    progress.clear();
  }
  if (model.info.isDemo && !choice.quiet) terminal.stderr.write(DEMO_NOTICE);
  return model;
}
