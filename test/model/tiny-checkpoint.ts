import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type PublishedConfig, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { type NamedArray, writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { ModelFamily } from '../../src/checkpoint/types.ts';
import { randomFrom } from '../../src/generate/sampler.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import { type ModelConfig, parseConfig } from '../../src/model/config.ts';
import { positionsOf, visionExpertRows } from '../../src/text/prompt.ts';

/** A checkpoint of random float32 weights for tests: odd grid, grouped heads, no inv_freq. */

export const tinyConfig = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_multi_query_heads: 2,
  rms_norm_eps: 1e-5,
  vocab_size: 60,
  max_position_embeddings: 128,
  template_version: 'chat',
  bos_token_id: 1,
  eos_token_id: [2],
  pad_token_id: 0,
  vision_config: {
    hidden_size: 32,
    num_hidden_layers: 2,
    num_heads: 2,
    intermediate_size: 48,
    patch_size: 4,
    image_size: 20,
    num_positions: 26,
    layer_norm_eps: 1e-6,
  },
};

export type TinyConfig = typeof tinyConfig;

export function shapesOf(config: PublishedConfig, family?: ModelFamily): Map<string, { shape: number[] }> {
  return new Map(Array.from(tensorShapes(config, family), ([name, shape]) => [name, { shape }] as const));
}

/** Parses this config.json together with its tensors. */
export function configOf(config: PublishedConfig, family?: ModelFamily): ModelConfig {
  return parseConfig(JSON.stringify(config), 'a test', shapesOf(config, family));
}

export function randomArrays(config: TinyConfig, seed = 1, family?: ModelFamily): NamedArray[] {
  const random = randomFrom(seed);
  const shapes = [...tensorShapes(config, family)].filter(([name]) => !name.endsWith('inv_freq'));
  return shapes.map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const isNorm = /norm\d?\.weight$/.test(name);
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const scale =
      name.endsWith('.weight') && shape.length > 1 && !name.includes('embed') ? Math.sqrt(3 / fanIn) : 0.5;
    const data = Float32Array.from({ length: count }, () => (isNorm ? 1 : 0) + (random() * 2 - 1) * scale);
    return { name, shape, data };
  });
}

export interface TinyOptions {
  config?: TinyConfig;
  arrays?: readonly NamedArray[];
  family?: ModelFamily;
  /** More files of the folder, by name. */
  texts?: Record<string, string>;
}

/** Writes config.json and one model.safetensors. @returns the folder. */
export function writeTinyCheckpoint(folder: string, options: TinyOptions = {}): string {
  const config = options.config ?? tinyConfig;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  for (const [name, text] of Object.entries(options.texts ?? {}))
    writeFileSync(path.join(folder, name), text);
  writeSafetensors(
    path.join(folder, 'model.safetensors'),
    options.arrays ?? randomArrays(config, 1, options.family),
  );
  return folder;
}

/** [3, S, S] random noise. */
export function randomPixels(config: TinyConfig, seed = 7): Float32Array {
  const random = randomFrom(seed);
  const { image_size } = config.vision_config;
  return Float32Array.from({ length: 3 * image_size * image_size }, () => random() * 4 - 2);
}

/** A prompt of bos, optional image tokens, and these ids. */
export function promptRows(textIds: readonly number[], imageTokens: number, bosId = 1): PromptRows {
  const tokenTypes = Uint8Array.from([0, ...Array(imageTokens).fill(1), ...textIds.map(() => 0)]);
  return {
    ids: Int32Array.from([bosId, ...Array(imageTokens).fill(0), ...textIds]),
    tokenTypes,
    positions: positionsOf(tokenTypes),
    visionRows: visionExpertRows(tokenTypes),
  };
}
