/**
 * The published layout: the fields of config.json, and every tensor by name with its shape in PyTorch's order. With it, a
 * published model can be planned before its download.
 */
import { isPublished, type PublishedName } from '../hub/cache.ts';
import { type PresetName, planTypes } from './type-preset.ts';
import type { Checkpoint, ModelFamily, TensorEntry } from './types.ts';

export interface PublishedConfig {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  /** Absent from CogVLM 1, where every head of queries has its own keys and values. */
  num_multi_query_heads?: number;
  vocab_size: number;
  bos_token_id: number;
  eos_token_id: number | number[];
  pad_token_id: number;
  vision_config: {
    hidden_size: number;
    num_hidden_layers: number;
    num_heads: number;
    intermediate_size: number;
    patch_size: number;
    image_size: number;
    num_positions: number;
  };
}

/** config.json of `cogvlm2-llama3-chat-19B`: the fields that affect the computation. */
export const config19B = {
  architectures: ['CogVLMForCausalLM'],
  model_type: 'cogvlm',
  torch_dtype: 'bfloat16',
  template_version: 'chat',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_multi_query_heads: 8,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  max_position_embeddings: 8192,
  vocab_size: 128256,
  bos_token_id: 128000,
  eos_token_id: [128001, 128009],
  pad_token_id: 128002,
  tie_word_embeddings: false,
  vision_config: {
    hidden_size: 1792,
    num_hidden_layers: 63,
    num_heads: 16,
    intermediate_size: 15360,
    patch_size: 14,
    image_size: 1344,
    num_positions: 9217,
    in_channels: 3,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-6,
  },
};

const { num_multi_query_heads: _, ...headsAlike } = config19B;

/** config.json of `cogvlm-chat-hf`. `cogvlm-base-224-hf` reads smaller images, and all others have the template "base". */
export const configV1 = {
  ...headsAlike,
  intermediate_size: 11008,
  max_position_embeddings: 2048,
  vocab_size: 32000,
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 0,
  vision_config: { ...config19B.vision_config, image_size: 490, num_positions: 1226 },
};

/** config.json of `cogvlm2-llama3-caption`, which all video models have. */
export const configVideo = {
  ...config19B,
  architectures: ['CogVLMVideoForCausalLM'],
  template_version: 'base',
  max_position_embeddings: 2048,
  eos_token_id: 128001,
  vision_config: { ...config19B.vision_config, image_size: 224, num_positions: 257 },
};

/** Every tensor in the order of the data, which for CogVLM2 is also the order of the published shards. */
export function tensorShapes(
  config: PublishedConfig,
  family: ModelFamily = 'CogVLM2',
): Map<string, number[]> {
  const { hidden_size: h, intermediate_size: m, vocab_size, vision_config: vision } = config;
  const { hidden_size: d, intermediate_size: dm, patch_size, num_positions } = vision;
  const headSize = h / config.num_attention_heads;
  const qkv = h + 2 * headSize * (config.num_multi_query_heads ?? config.num_attention_heads);
  const experts = family === 'CogVLM2-Video' ? ['language'] : ['vision', 'language'];
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocab_size, h]]]);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    shapes.set(`${layer}.self_attn.rotary_emb.inv_freq`, [headSize / 2]);
    if (family === 'CogVLM2') shapes.set(`${layer}.self_attn.vision_expert_query_key_value.bias`, [qkv]);
    for (const expert of experts) {
      shapes.set(`${layer}.self_attn.${expert}_expert_query_key_value.weight`, [qkv, h]);
      shapes.set(`${layer}.self_attn.${expert}_expert_dense.weight`, [h, h]);
    }
    for (const expert of experts.toReversed()) {
      shapes.set(`${layer}.mlp.${expert}_mlp.gate_proj.weight`, [m, h]);
      shapes.set(`${layer}.mlp.${expert}_mlp.up_proj.weight`, [m, h]);
      shapes.set(`${layer}.mlp.${expert}_mlp.down_proj.weight`, [h, m]);
    }
    shapes.set(`${layer}.input_layernorm.weight`, [h]);
    shapes.set(`${layer}.post_attention_layernorm.weight`, [h]);
  }
  shapes.set('model.norm.weight', [h]);
  shapes.set('model.vision.boi', [1, 1, h]);
  shapes.set('model.vision.eoi', [1, 1, h]);
  shapes.set('model.vision.patch_embedding.cls_embedding', [1, d]);
  shapes.set('model.vision.patch_embedding.proj.weight', [d, 3, patch_size, patch_size]);
  shapes.set('model.vision.patch_embedding.proj.bias', [d]);
  shapes.set('model.vision.patch_embedding.position_embedding.weight', [num_positions, d]);
  for (let i = 0; i < vision.num_hidden_layers; i++) {
    const layer = `model.vision.transformer.layers.${i}`;
    const linear = (name: string, outputs: number, inputs: number) => {
      shapes.set(`${layer}.${name}.weight`, [outputs, inputs]);
      shapes.set(`${layer}.${name}.bias`, [outputs]);
    };
    const norm = (name: string) => {
      shapes.set(`${layer}.${name}.weight`, [d]);
      shapes.set(`${layer}.${name}.bias`, [d]);
    };
    norm('input_layernorm');
    linear('attention.query_key_value', 3 * d, d);
    linear('attention.dense', d, d);
    linear('mlp.fc1', dm, d);
    linear('mlp.fc2', d, dm);
    norm('post_attention_layernorm');
  }
  shapes.set('model.vision.linear_proj.linear_proj.weight', [h, d]);
  shapes.set('model.vision.linear_proj.norm1.weight', [h]);
  shapes.set('model.vision.linear_proj.norm1.bias', [h]);
  shapes.set('model.vision.linear_proj.dense_h_to_4h.weight', [m, h]);
  shapes.set('model.vision.linear_proj.gate_proj.weight', [m, h]);
  shapes.set('model.vision.linear_proj.dense_4h_to_h.weight', [h, m]);
  if (family !== 'CogVLM 1') {
    shapes.set('model.vision.conv.weight', [d, d, 2, 2]);
    shapes.set('model.vision.conv.bias', [d]);
  }
  shapes.set('lm_head.weight', [vocab_size, h]);
  return shapes;
}

const base = { template_version: 'base' };
const v1At224 = { image_size: 224, num_positions: 257 };

/** The properties that decide the names and shapes of a model's tensors. */
export interface PublishedLayout {
  config: PublishedConfig;
  family: ModelFamily;
}

/** The published models, by the names of their repositories. */
export const publishedLayouts: Readonly<Record<PublishedName, PublishedLayout>> = {
  'cogvlm2-llama3-chat-19B': { config: config19B, family: 'CogVLM2' },
  'cogvlm2-llama3-chinese-chat-19B': { config: config19B, family: 'CogVLM2' },
  'cogvlm-chat-hf': { config: configV1, family: 'CogVLM 1' },
  'cogvlm-base-490-hf': { config: { ...configV1, ...base }, family: 'CogVLM 1' },
  'cogvlm-base-224-hf': {
    config: { ...configV1, ...base, vision_config: { ...configV1.vision_config, ...v1At224 } },
    family: 'CogVLM 1',
  },
  'cogvlm-grounding-base-hf': { config: { ...configV1, ...base }, family: 'CogVLM 1' },
  'cogvlm-grounding-generalist-hf': { config: { ...configV1, ...base }, family: 'CogVLM 1' },
  'cogvlm2-llama3-caption': { config: configVideo, family: 'CogVLM2-Video' },
  'cogvlm2-video-llama3-chat': { config: configVideo, family: 'CogVLM2-Video' },
  'cogvlm2-video-llama3-base': { config: configVideo, family: 'CogVLM2-Video' },
};

/** A published model in bf16 without its weights, for a plan before the download; undefined for another name. */
export function publishedCheckpoint(name: string): Checkpoint | undefined {
  if (!isPublished(name)) return undefined;
  const { config, family } = publishedLayouts[name];
  const entries = Array.from(tensorShapes(config, family), ([tensor, shape]): TensorEntry => {
    const elements = shape.reduce((product, axis) => product * axis, 1);
    return { name: tensor, type: 'bf16', shape, file: '', offsetBytes: 0, sizeBytes: elements * 2 };
  });
  return {
    path: name,
    name,
    format: 'safetensors',
    texts: { 'config.json': JSON.stringify(config) },
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
  };
}

/** The checkpoint as `convert --type` would write it. */
export function withTypes(checkpoint: Checkpoint, preset: PresetName): Checkpoint {
  const planned = planTypes(checkpoint.tensors.values(), preset);
  return {
    ...checkpoint,
    tensors: new Map(
      planned.map(({ entry: { packed: _, ...entry }, type, sizeBytes }) => [
        entry.name,
        { ...entry, type, sizeBytes },
      ]),
    ),
  };
}
