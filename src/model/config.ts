import { z } from 'zod';
import type { ModelFamily } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';

const size = z.number().int().positive();
const tokenId = z.number().int().nonnegative();
/** A graph holds 16,384 nodes. A decoder layer needs about 35, and a dozen more for each further sequence. */
const layerCount = size.max(100);

/** The fields of the published config.json that affect the computation. */
const configSchema = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  rms_norm_eps: z.number().positive().default(1e-5),
  max_position_embeddings: size.default(8192),
  vocab_size: size,
  template_version: z.enum(['chat', 'vqa', 'base']).default('chat'),
  bos_token_id: tokenId,
  eos_token_id: z.union([tokenId, z.array(tokenId).min(1)]),
  pad_token_id: tokenId,
  vision_config: z.object({
    hidden_size: size,
    num_hidden_layers: layerCount,
    num_heads: size,
    intermediate_size: size,
    patch_size: size,
    image_size: size,
    num_positions: size,
    in_channels: z.literal(3).default(3),
    layer_norm_eps: z.number().positive().default(1e-6),
  }),
});

export interface VisionConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  headSize: number;
  intermediateSize: number;
  patchSize: number;
  imageSize: number;
  /** Patches on one side; there are side * side of them. */
  side: number;
  /** The `side` of the training. The position table has an entry for each of those patches. */
  trainedSide: number;
  normEps: number;
  /** Rows of one image in the decoder. */
  imageTokens: number;
}

/** Rows of one image in the tower: the class token and the patches. */
export function towerRows({ side }: Pick<VisionConfig, 'side'>): number {
  return side * side + 1;
}

/** Numbers in the pixels [3, S, S] of one image. */
export function pixelNumbers({ imageSize }: Pick<VisionConfig, 'imageSize'>): number {
  return 3 * imageSize ** 2;
}

export interface ModelConfig extends Architecture {
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  headSize: number;
  normEps: number;
  maxPositions: number;
  vocabSize: number;
  template: 'chat' | 'vqa' | 'base';
  bosId: number;
  /** Each of these ids ends an answer. */
  eosIds: readonly number[];
  padId: number;
  vision: VisionConfig;
}

/**
 * The config of a checkpoint from its config.json and the names and shapes of its tensors. Only these identify the member of
 * the model family; see `architectureOf`.
 * @throws CogVLM2Error `invalid_checkpoint` naming the field.
 */
export function parseConfig(text: string, where: string, tensors: TensorShapes): ModelConfig {
  const fail = (why: string) => new CogVLM2Error('invalid_checkpoint', `config.json of ${where}: ${why}.`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail('it is not JSON');
  }
  refuseCogAgent(json, where, tensors);
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fail(`${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
  }
  const raw = parsed.data;
  const v = raw.vision_config;
  const divides = (whole: number, part: number, whole_: string, part_: string) => {
    if (whole % part !== 0) throw fail(`${whole_} ${whole} is not a multiple of ${part_} ${part}`);
    return whole / part;
  };
  const headSize = divides(raw.hidden_size, raw.num_attention_heads, 'hidden_size', 'num_attention_heads');
  if (headSize % 2 !== 0) throw fail(`heads of ${headSize} cannot be rotated; the size must be even`);
  const eosIds = [raw.eos_token_id].flat();
  const outside = [raw.bos_token_id, raw.pad_token_id, ...eosIds].find((id) => id >= raw.vocab_size);
  if (outside !== undefined) throw fail(`token id ${outside} is outside the vocabulary of ${raw.vocab_size}`);
  const architecture = architectureOf(tensors, { heads: raw.num_attention_heads, headSize }, where);
  divides(
    raw.num_attention_heads,
    architecture.kvHeads,
    'num_attention_heads',
    'the number of key and value heads',
  );
  const side = divides(v.image_size, v.patch_size, 'vision_config.image_size', 'patch_size');
  if (architecture.hasConvolution && side < 2)
    throw fail(`an image of ${side} patch a side is too small for the 2x2 convolution`);
  if (v.num_positions !== towerRows({ side })) {
    throw fail(
      `num_positions is ${v.num_positions}, but ${side}x${side} patches and the class token make ${towerRows({ side })}`,
    );
  }
  return {
    ...architecture,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    headSize,
    normEps: raw.rms_norm_eps,
    // Frames share positions, so a video can have more than the published 2,048 rows.
    maxPositions:
      architecture.family === 'CogVLM2-Video'
        ? Math.max(raw.max_position_embeddings, 8192)
        : raw.max_position_embeddings,
    vocabSize: raw.vocab_size,
    // The files of the video models say "base", but the published demos use "chat" for all of them.
    template: architecture.family === 'CogVLM2-Video' ? 'chat' : raw.template_version,
    bosId: raw.bos_token_id,
    eosIds,
    padId: raw.pad_token_id,
    vision: {
      hiddenSize: v.hidden_size,
      layers: v.num_hidden_layers,
      heads: v.num_heads,
      headSize: divides(v.hidden_size, v.num_heads, 'vision_config.hidden_size', 'num_heads'),
      intermediateSize: v.intermediate_size,
      patchSize: v.patch_size,
      imageSize: v.image_size,
      side,
      trainedSide: side,
      normEps: v.layer_norm_eps,
      imageTokens: imageTokensOf(side, architecture),
    },
  };
}

/** The outputs of the 2x2 convolution, or all patches without one; boi and eoi. */
function imageTokensOf(side: number, { hasConvolution }: Pick<Architecture, 'hasConvolution'>): number {
  return (hasConvolution ? Math.floor(side / 2) : side) ** 2 + 2;
}

/** @throws CogVLM2Error `invalid_checkpoint` */
function refuseCogAgent(config: unknown, where: string, tensors: TensorShapes): void {
  const isCogAgent =
    (typeof config === 'object' && config !== null && 'cross_image_size' in config) ||
    [...tensors.keys()].some((name) => name.startsWith('model.cross_vision.'));
  if (!isCogAgent) return;
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${where} is CogAgent, which this program does not run: it has a second vision tower for images of 1120 pixels and cross attention in each layer. These models of the same family run: cogvlm-chat-hf, cogvlm-base-490-hf, cogvlm-base-224-hf, cogvlm-grounding-base-hf and cogvlm-grounding-generalist-hf.`,
  );
}

/**
 * The same model for smaller images: fewer patches, fewer image tokens.
 * @throws CogVLM2Error `invalid_value` unless `imageSize` is a multiple of the patch size (with a convolution, of its window of
 * 2x2 patches) and at most the size that the model was trained on
 */
export function withImageSize(config: ModelConfig, imageSize: number): ModelConfig {
  const { vision } = config;
  const windowSize = (config.hasConvolution ? 2 : 1) * vision.patchSize;
  const largest = vision.imageSize - (vision.imageSize % windowSize);
  if (imageSize === vision.imageSize) return config;
  if (
    !Number.isInteger(imageSize) ||
    imageSize % windowSize !== 0 ||
    imageSize < windowSize ||
    imageSize > largest
  ) {
    throw new CogVLM2Error(
      'invalid_value',
      `The image size must be a multiple of ${windowSize} from ${windowSize} to ${largest} for this model, or ${vision.imageSize}; got ${imageSize}.`,
    );
  }
  const side = imageSize / vision.patchSize;
  return { ...config, vision: { ...vision, imageSize, side, imageTokens: imageTokensOf(side, config) } };
}

/** The differences between the members of the model family. */
interface Architecture {
  family: ModelFamily;
  /** The adapter joins 2x2 patches to one image token. Without it, each patch is an image token. */
  hasConvolution: boolean;
  /** Image rows of the decoder have their own weights. */
  hasVisionExperts: boolean;
  /** The vision expert's queries, keys and values have a bias. */
  hasVisionBias: boolean;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  kvHeads: number;
  /** Base of the rotary embedding's frequencies, where the checkpoint does not store them. No config.json has it. */
  ropeBase: number;
}

/** Shapes by name, in PyTorch's order. */
export type TensorShapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/**
 * Identifies the member of the family by its tensors. config.json cannot: all name the same architecture. The number of key
 * and value heads is missing from CogVLM 1 (which has 32) and from the English CogVLM2 (which has 8).
 * @throws CogVLM2Error `invalid_checkpoint` for a layer whose queries, keys and values are not whole heads
 */
function architectureOf(
  tensors: TensorShapes,
  { heads, headSize }: { heads: number; headSize: number },
  where: string,
): Architecture {
  const hasConvolution = tensors.has('model.vision.conv.weight');
  const hasVisionExperts = [...tensors.keys()].some((name) => /\.vision_(expert|mlp)/.test(name));
  const queryKeyValue = 'model.layers.0.self_attn.language_expert_query_key_value.weight';
  const [rows = 0] = tensors.get(queryKeyValue)?.shape ?? [];
  const kvHeads = (rows / headSize - heads) / 2;
  if (!Number.isInteger(kvHeads) || kvHeads < 1) {
    const found = rows === 0 ? 'is missing' : `has ${rows} rows`;
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${queryKeyValue} of ${where} ${found}; expected ${heads} query heads of size ${headSize}, and at least one key head and one value head.`,
    );
  }
  return {
    family: !hasConvolution ? 'CogVLM 1' : hasVisionExperts ? 'CogVLM2' : 'CogVLM2-Video',
    hasConvolution,
    hasVisionExperts,
    hasVisionBias: tensors.has('model.layers.0.self_attn.vision_expert_query_key_value.bias'),
    kvHeads,
    ropeBase: hasConvolution ? 500_000 : 10_000,
  };
}
