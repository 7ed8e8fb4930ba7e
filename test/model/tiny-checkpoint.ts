import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type NamedArray, writeSafetensors } from '../../src/checkpoint/safetensors-writer.ts';
import { randomFrom } from '../../src/generate/random.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import { positionsOf, visionExpertRows } from '../../src/text/positions.ts';

/** A checkpoint of random float32 weights that a test writes for itself: odd grid, grouped heads, no inv_freq. */

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

/** Every tensor of the published layout by name, in PyTorch's order. */
export function tensorShapes(config: TinyConfig): Map<string, number[]> {
  const { hidden_size: h, intermediate_size: m, vocab_size, vision_config: vision } = config;
  const { hidden_size: d, intermediate_size: dm, patch_size, num_positions } = vision;
  const qkv = h + (2 * h * config.num_multi_query_heads) / config.num_attention_heads;
  const shapes = new Map<string, number[]>([
    ['model.embed_tokens.weight', [vocab_size, h]],
    ['model.norm.weight', [h]],
    ['lm_head.weight', [vocab_size, h]],
    ['model.vision.boi', [1, 1, h]],
    ['model.vision.eoi', [1, 1, h]],
    ['model.vision.patch_embedding.cls_embedding', [1, d]],
    ['model.vision.patch_embedding.proj.weight', [d, 3, patch_size, patch_size]],
    ['model.vision.patch_embedding.proj.bias', [d]],
    ['model.vision.patch_embedding.position_embedding.weight', [num_positions, d]],
    ['model.vision.conv.weight', [d, d, 2, 2]],
    ['model.vision.conv.bias', [d]],
    ['model.vision.linear_proj.linear_proj.weight', [h, d]],
    ['model.vision.linear_proj.norm1.weight', [h]],
    ['model.vision.linear_proj.norm1.bias', [h]],
    ['model.vision.linear_proj.gate_proj.weight', [m, h]],
    ['model.vision.linear_proj.dense_h_to_4h.weight', [m, h]],
    ['model.vision.linear_proj.dense_4h_to_h.weight', [h, m]],
  ]);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    for (const expert of ['language', 'vision']) {
      shapes.set(`${layer}.self_attn.${expert}_expert_query_key_value.weight`, [qkv, h]);
      shapes.set(`${layer}.self_attn.${expert}_expert_dense.weight`, [h, h]);
      shapes.set(`${layer}.mlp.${expert}_mlp.gate_proj.weight`, [m, h]);
      shapes.set(`${layer}.mlp.${expert}_mlp.up_proj.weight`, [m, h]);
      shapes.set(`${layer}.mlp.${expert}_mlp.down_proj.weight`, [h, m]);
    }
    shapes.set(`${layer}.self_attn.vision_expert_query_key_value.bias`, [qkv]);
    shapes.set(`${layer}.input_layernorm.weight`, [h]);
    shapes.set(`${layer}.post_attention_layernorm.weight`, [h]);
  }
  for (let i = 0; i < vision.num_hidden_layers; i++) {
    const layer = `model.vision.transformer.layers.${i}`;
    const linear = (name: string, outputs: number, inputs: number) => {
      shapes.set(`${layer}.${name}.weight`, [outputs, inputs]);
      shapes.set(`${layer}.${name}.bias`, [outputs]);
    };
    linear('attention.query_key_value', 3 * d, d);
    linear('attention.dense', d, d);
    linear('mlp.fc1', dm, d);
    linear('mlp.fc2', d, dm);
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) {
      shapes.set(`${layer}.${norm}.weight`, [d]);
      shapes.set(`${layer}.${norm}.bias`, [d]);
    }
  }
  return shapes;
}

export function randomArrays(config: TinyConfig, seed = 1): NamedArray[] {
  const random = randomFrom(seed);
  return Array.from(tensorShapes(config), ([name, shape]) => {
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
  /** Further files of the folder by name. */
  texts?: Record<string, string>;
}

/** Writes config.json and one model.safetensors. @returns the folder. */
export function writeTinyCheckpoint(folder: string, options: TinyOptions = {}): string {
  const config = options.config ?? tinyConfig;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  for (const [name, text] of Object.entries(options.texts ?? {}))
    writeFileSync(path.join(folder, name), text);
  writeSafetensors(path.join(folder, 'model.safetensors'), options.arrays ?? randomArrays(config));
  return folder;
}

/** [3, S, S] of a picture that is noise. */
export function randomPixels(config: TinyConfig, seed = 7): Float32Array {
  const random = randomFrom(seed);
  const { image_size } = config.vision_config;
  return Float32Array.from({ length: 3 * image_size * image_size }, () => random() * 4 - 2);
}

/** bos, the image if there is one, then these ids. */
export function promptRows(textIds: readonly number[], imageTokens: number, bosId = 1): PromptRows {
  const tokenTypes = Uint8Array.from([0, ...Array(imageTokens).fill(1), ...textIds.map(() => 0)]);
  return {
    ids: Int32Array.from([bosId, ...Array(imageTokens).fill(0), ...textIds]),
    tokenTypes,
    positions: positionsOf(tokenTypes),
    visionRows: visionExpertRows(tokenTypes),
  };
}
