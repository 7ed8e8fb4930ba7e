import type { ModelFamily } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';

/** What the members of the model family compute differently. */
export interface Architecture {
  family: ModelFamily;
  /** The adapter joins 2x2 patches to one image token. Without it, each patch is an image token. */
  hasConvolution: boolean;
  /** Image rows of the decoder have weights of their own. */
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
 * Tells the members of the family apart by their tensors. config.json cannot: all name the same architecture, and the number of
 * key and value heads is missing from CogVLM 1, which has 32, and from the English CogVLM2, which has 8.
 * @throws CogVLM2Error `invalid_checkpoint` for a layer whose queries, keys and values are not whole heads
 */
export function architectureOf(
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
      `${queryKeyValue} of ${where} ${found}; ${heads} heads of queries of ${headSize}, and at least one head each of keys and values, were expected.`,
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
