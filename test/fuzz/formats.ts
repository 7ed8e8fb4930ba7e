/** The fuzzed formats. Each makes a valid file once, and then mutations of it. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { adapterFormat } from './adapters.ts';
import { ggufFormat } from './gguf.ts';
import { imageFormat, pdfFormat } from './images.ts';
import { configFormat, tokenizerFormat } from './json-files.ts';
import { parquetFormat } from './parquet.ts';
import type { Random } from './random.ts';
import type { Job } from './runner.ts';
import { safetensorsFormat } from './safetensors.ts';

export interface Format {
  kind: Job['kind'];
  /** Writes a mutated file. @returns its path, and a description of the change */
  mutate(random: Random): { path: string; change: string };
}

export const FORMATS = {
  safetensors: safetensorsFormat,
  gguf: ggufFormat,
  config: configFormat,
  tokenizer: tokenizerFormat,
  parquet: parquetFormat,
  image: imageFormat,
  pdf: pdfFormat,
  adapter: adapterFormat,
} satisfies Record<string, (folder: string) => Format | Promise<Format>>;

export type FormatName = keyof typeof FORMATS;

export async function openFormat(name: FormatName, folder: string): Promise<Format> {
  const own = path.join(folder, name);
  mkdirSync(own, { recursive: true });
  return FORMATS[name](own);
}
