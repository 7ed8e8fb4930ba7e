/** Loads the model of the flags, with progress, and with a notice if it is the demonstration model. */

import { existsSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { LoadOptions } from '../generate/load-options.ts';
import type { Context } from './command.ts';
import type { ProgressReport } from './progress.ts';

export interface ModelChoice {
  model?: string | undefined;
  adapter: readonly string[];
  device?: string | undefined;
  threads?: number | undefined;
  context?: number | undefined;
  imageSize?: number | undefined;
  compute: 'auto' | 'f32';
  imageCache: boolean;
  imageCacheGb: number;
  quiet: boolean;
  /** How many questions run at the same time; 1 is faster with four-bit weights. */
  sequences?: number;
}

/** Unset options are omitted, so that the defaults of the library apply. */
export function loadOptions({
  model,
  adapter,
  device,
  threads,
  context,
  imageSize,
  compute,
  sequences,
  imageCache,
  imageCacheGb,
}: ModelChoice): LoadOptions {
  return {
    compute,
    imageCache: imageCache && { limitBytes: imageCacheGb * 1e9 },
    ...(model !== undefined && { model }),
    ...(adapter.length > 0 && { adapter: adapter.map(parseAdapter) }),
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { contextSize: context }),
    ...(sequences !== undefined && { parallel: sequences }),
    ...(imageSize !== undefined && { imageSize }),
  };
}

export const DEMO_NOTICE = 'cogvlm2: this is a small demonstration model; its answers are often wrong.\n';

export async function openModel(
  choice: ModelChoice,
  context: Context,
  progress: ProgressReport,
  signal: AbortSignal,
): Promise<CogVLM2> {
  const { library, terminal } = context;
  let model: CogVLM2;
  try {
    model = await library.load({ ...loadOptions(choice), signal, onProgress: progress.report });
  } finally {
    progress.clear();
  }
  if (model.info.isDemo && !choice.quiet) terminal.stderr.write(DEMO_NOTICE);
  return model;
}

// The values of `--adapter`: `FOLDER`, `FOLDER:SCALE`, and for a server `NAME=FOLDER`.

export interface AdapterArgument {
  path: string;
  scale: number;
}

/** If a folder with the whole text as its name exists, the text is its path. */
export function parseAdapter(text: string): AdapterArgument {
  const [, path, scale] = /^(.+):([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/.exec(text) ?? [];
  if (path === undefined || existsSync(text)) return { path: text, scale: 1 };
  return { path, scale: Number(scale) };
}

/** The adapters of a server: by name for requests, and for all requests. @throws CogVLM2Error `invalid_value` */
export function parseServedAdapters(texts: readonly string[]): {
  adapter: AdapterArgument[];
  adapters: Record<string, AdapterArgument>;
} {
  const adapter: AdapterArgument[] = [];
  const adapters = new Map<string, AdapterArgument>();
  for (const text of texts) {
    const [, name, source] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
    const isNamed = name !== undefined && source !== undefined && !existsSync(text);
    if (!isNamed) adapter.push(parseAdapter(text));
    else if (adapters.has(name)) {
      throw new CogVLM2Error('invalid_value', `--adapter has two adapters named ${JSON.stringify(name)}.`);
    } else adapters.set(name, parseAdapter(source));
  }
  return { adapter, adapters: Object.fromEntries(adapters) };
}
