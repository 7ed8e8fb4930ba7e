import { readNumbers } from '../checkpoint/read-tensor.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { type ModelConfig, parseConfig, type VisionConfig } from './config.ts';
import {
  add,
  attention,
  columns,
  gelu,
  layerNorm,
  linear,
  type Matrix,
  matrix,
  multiply,
  rmsNorm,
  rope,
  row,
  silu,
  stack,
} from './reference-layers.ts';
import type { Tap } from './taps.ts';

/**
 * A second implementation of the whole model, for reading and for tests: no ggml, no cache, no chunks. It reads weights when it
 * needs them, and shares only the config and the reading of tensors with the engine. If both agree, only the formula can be
 * wrong. Taps have the names of the goldens.
 */

/** `weights('conv.bias', 8)` reads the tensor of that name and checks its shape. */
type Read = (name: string, ...shape: number[]) => Float32Array;

const noTap: Tap = () => {};

/** pixels [3, S, S] -> image tokens [n + 2, H]: n is patches / 4 with a convolution, otherwise patches. */
export function referenceVision(checkpoint: Checkpoint, pixels: Float32Array, tap = noTap): Matrix {
  const config = parseConfig(checkpoint.texts['config.json'], checkpoint.path, checkpoint.tensors);
  const { vision } = config;
  const weights = reader(checkpoint, 'model.vision.');
  let x = patchEmbedding(weights, vision, pixels); // [P + 1, D]
  tap('vision.patch_embedding', x.data);
  for (let i = 0; i < vision.layers; i++) {
    x = towerLayer(reader(checkpoint, `model.vision.transformer.layers.${i}.`), vision, x);
    tap(`vision.layer.${i}`, x.data);
  }
  if (config.hasConvolution) {
    x = convolution(weights, vision, x); // [P / 4, D]
    tap('vision.conv', x.data);
  } else {
    x = matrix(x.rows - 1, x.columns, x.data.subarray(x.columns)); // without the class token: [P, D]
  }
  const imageTokens = adapter(weights, config, x); // [n + 2, H]
  tap('vision.output', imageTokens.data);
  return imageTokens;
}

/** x = conv(image, 14x14, stride 14) + bias; x = [cls, x] + position_embedding. Patches are row-major. */
function patchEmbedding(weights: Read, config: VisionConfig, pixels: Float32Array): Matrix {
  const { hiddenSize, side, patchSize, imageSize } = config;
  const kernel = weights('patch_embedding.proj.weight', hiddenSize, 3, patchSize, patchSize);
  const bias = weights('patch_embedding.proj.bias', hiddenSize);
  const patches = matrix(side * side, hiddenSize);
  for (let patchY = 0; patchY < side; patchY++) {
    for (let patchX = 0; patchX < side; patchX++) {
      const output = row(patches, patchY * side + patchX);
      for (let out = 0; out < hiddenSize; out++) {
        let sum = bias[out]!;
        for (let channel = 0; channel < 3; channel++) {
          for (let y = 0; y < patchSize; y++) {
            for (let x = 0; x < patchSize; x++) {
              const pixel =
                pixels[(channel * imageSize + patchY * patchSize + y) * imageSize + patchX * patchSize + x]!;
              sum += pixel * kernel[((out * 3 + channel) * patchSize + y) * patchSize + x]!;
            }
          }
        }
        output[out] = sum;
      }
    }
  }
  const cls = matrix(1, hiddenSize, weights('patch_embedding.cls_embedding', 1, hiddenSize));
  const n = side * side + 1;
  const positions = weights('patch_embedding.position_embedding.weight', n, hiddenSize);
  return add(stack(cls, patches), matrix(n, hiddenSize, positions));
}

/** The norms are on each sub-layer's output: x = x + LN(attention(x)); x = x + LN(mlp(x)). */
function towerLayer(weights: Read, config: VisionConfig, x: Matrix): Matrix {
  const { hiddenSize: d, intermediateSize, heads, normEps } = config;
  const norm = (name: string, y: Matrix) =>
    layerNorm(y, weights(`${name}.weight`, d), weights(`${name}.bias`, d), normEps);
  const biased = (name: string, y: Matrix, inputs: number, outputs: number) =>
    linear(y, readMatrix(weights, `${name}.weight`, outputs, inputs), weights(`${name}.bias`, outputs));
  const qkv = biased('attention.query_key_value', x, d, 3 * d); // [n, 3 D]: q | k | v
  const [q, k, v] = [columns(qkv, 0, d), columns(qkv, d, d), columns(qkv, 2 * d, d)];
  const o = attention(q, k, v, { query: heads, keyValue: heads, causal: false });
  const attended = add(x, norm('input_layernorm', biased('attention.dense', o, d, d)));
  const hidden = gelu(biased('mlp.fc1', attended, d, intermediateSize));
  return add(attended, norm('post_attention_layernorm', biased('mlp.fc2', hidden, intermediateSize, d)));
}

/** x [P + 1, D] without its class token, as a side x side image, through a 2x2 convolution of stride 2. */
function convolution(weights: Read, { hiddenSize: d, side }: VisionConfig, x: Matrix): Matrix {
  const kernel = weights('conv.weight', d, d, 2, 2);
  const bias = weights('conv.bias', d);
  const half = Math.floor(side / 2); // an odd side loses its last row and column
  const y = matrix(half * half, d);
  for (let top = 0; top < half; top++) {
    for (let left = 0; left < half; left++) {
      const output = row(y, top * half + left);
      output.set(bias);
      for (let ky = 0; ky < 2; ky++) {
        for (let kx = 0; kx < 2; kx++) {
          const input = row(x, 1 + (2 * top + ky) * side + 2 * left + kx);
          for (let out = 0; out < d; out++) {
            for (let i = 0; i < d; i++)
              output[out]! += input[i]! * kernel[((out * d + i) * 2 + ky) * 2 + kx]!;
          }
        }
      }
    }
  }
  return y;
}

/** x = gelu(LN(linear_proj(x))); x = down(silu(gate(x)) * up(x)); [boi, x, eoi]. No biases but the norm's. */
function adapter(weights: Read, config: ModelConfig, x: Matrix): Matrix {
  const { hiddenSize: h, intermediateSize, vision } = config;
  const project = (name: string, y: Matrix, outputs: number) =>
    linear(y, readMatrix(weights, `linear_proj.${name}.weight`, outputs, y.columns));
  const normEps = 1e-5; // PyTorch's default; not the config's
  const normed = layerNorm(
    linear(x, readMatrix(weights, 'linear_proj.linear_proj.weight', h, vision.hiddenSize)),
    weights('linear_proj.norm1.weight', h),
    weights('linear_proj.norm1.bias', h),
    normEps,
  );
  const projected = gelu(normed);
  const gate = silu(project('gate_proj', projected, intermediateSize));
  const mixed = multiply(gate, project('dense_h_to_4h', projected, intermediateSize));
  const [boi, eoi] = [weights('boi', 1, 1, h), weights('eoi', 1, 1, h)];
  return stack(matrix(1, h, boi), project('dense_4h_to_h', mixed, h), matrix(1, h, eoi));
}

/** A prompt with at most one image. Token types are 1 for image tokens. */
export interface ReferencePrompt {
  ids: ArrayLike<number>;
  tokenTypes: Uint8Array;
}

/** ids and types [L], image tokens -> logits [L, V]. */
export function referenceLogits(
  checkpoint: Checkpoint,
  prompt: ReferencePrompt,
  imageTokens: Matrix | null,
  tap = noTap,
): Matrix {
  const config = parseConfig(checkpoint.texts['config.json'], checkpoint.path, checkpoint.tensors);
  const { hiddenSize: h, vocabSize, layers, normEps } = config;
  const weights = reader(checkpoint);
  const facts = {
    positions: referencePositions(prompt.tokenTypes),
    isVision: referenceExperts(prompt.tokenTypes).map((isVision) => isVision && config.hasVisionExperts),
  };
  let x = embed(readMatrix(weights, 'model.embed_tokens.weight', vocabSize, h), prompt, imageTokens); // [L, H]
  for (let i = 0; i < layers; i++) {
    tap(`hidden.${i}`, x.data);
    const frequencies = inverseFrequencies(checkpoint, i, config);
    x = decoderLayer(reader(checkpoint, `model.layers.${i}.`), config, x, { ...facts, frequencies });
  }
  x = rmsNorm(x, weights('model.norm.weight', h), normEps);
  tap(`hidden.${layers}`, x.data);
  const logits = linear(x, readMatrix(weights, 'lm_head.weight', vocabSize, h));
  tap('logits', logits.data);
  return logits;
}

/** Consecutive positions, except that all patches (between boi and eoi) share one. */
export function referencePositions(tokenTypes: Uint8Array): number[] {
  const boi = tokenTypes.indexOf(1);
  const eoi = tokenTypes.lastIndexOf(1);
  return Array.from(tokenTypes, (_, i) => {
    if (boi < 0 || i <= boi) return i;
    return i < eoi ? boi + 1 : boi + 2 + (i - eoi);
  });
}

/** The vision expert takes image tokens that another image token follows: boi and the patches, not eoi. */
export function referenceExperts(tokenTypes: Uint8Array): boolean[] {
  return Array.from(tokenTypes, (type, i) => type === 1 && tokenTypes[i + 1] === 1);
}

/** Rows of the table by id; the image's rows are the image tokens, in order. */
function embed(table: Matrix, { ids, tokenTypes }: ReferencePrompt, imageTokens: Matrix | null): Matrix {
  const x = matrix(tokenTypes.length, table.columns);
  let imageRow = 0;
  for (let i = 0; i < x.rows; i++) {
    const isImage = tokenTypes[i] === 1;
    if (isImage && !imageTokens)
      throw new CogVLM2Error('invalid_value', 'The prompt has an image, but none was given.');
    row(x, i).set(isImage && imageTokens ? row(imageTokens, imageRow++) : row(table, ids[i]!));
  }
  return x;
}

interface RowFacts {
  positions: readonly number[];
  isVision: readonly boolean[];
  /** Of the layer's rotary embedding, [headSize / 2]. */
  frequencies: Float32Array;
}

function decoderLayer(weights: Read, config: ModelConfig, x: Matrix, facts: RowFacts): Matrix {
  const { hiddenSize: h, intermediateSize, headSize, heads, kvHeads, normEps } = config;
  const [qWidth, kvWidth] = [heads * headSize, kvHeads * headSize];
  const normed = rmsNorm(x, weights('input_layernorm.weight', h), normEps);
  const qkv = byExpert(normed, facts, (expert, rows) => {
    const name = `self_attn.${expert}_expert_query_key_value`;
    const outputs = qWidth + 2 * kvWidth;
    const hasBias = expert === 'vision' && config.hasVisionBias;
    const bias = hasBias ? weights(`${name}.bias`, outputs) : undefined;
    return linear(rows, readMatrix(weights, `${name}.weight`, outputs, h), bias);
  });
  const q = rope(columns(qkv, 0, qWidth), facts.positions, facts.frequencies);
  const k = rope(columns(qkv, qWidth, kvWidth), facts.positions, facts.frequencies);
  const v = columns(qkv, qWidth + kvWidth, kvWidth);
  const o = attention(q, k, v, { query: heads, keyValue: kvHeads, causal: true });
  const dense = byExpert(o, facts, (expert, rows) =>
    linear(rows, readMatrix(weights, `self_attn.${expert}_expert_dense.weight`, h, h)),
  );
  const attended = add(x, dense);
  const normedAgain = rmsNorm(attended, weights('post_attention_layernorm.weight', h), normEps);
  const mlp = byExpert(normedAgain, facts, (expert, rows) => {
    const name = `mlp.${expert}_mlp`;
    const gate = silu(linear(rows, readMatrix(weights, `${name}.gate_proj.weight`, intermediateSize, h)));
    const up = linear(rows, readMatrix(weights, `${name}.up_proj.weight`, intermediateSize, h));
    return linear(multiply(gate, up), readMatrix(weights, `${name}.down_proj.weight`, h, intermediateSize));
  });
  return add(attended, mlp);
}

/** Runs each row through its own expert. The results keep the order of the rows. */
function byExpert(
  x: Matrix,
  { isVision }: RowFacts,
  run: (expert: 'language' | 'vision', rows: Matrix) => Matrix,
): Matrix {
  const results: Float32Array[] = [];
  for (const expert of ['language', 'vision'] as const) {
    const own = isVision.flatMap((vision, i) => (vision === (expert === 'vision') ? [i] : []));
    if (own.length === 0) continue;
    const y = run(expert, stack(...own.map((i) => matrix(1, x.columns, row(x, i)))));
    for (const [at, i] of own.entries()) results[i] = row(y, at);
  }
  return stack(...results.map((data) => matrix(1, data.length, data)));
}

/** theta^(-2i/d), or the checkpoint's own values, which are rounded to its type. */
function inverseFrequencies(
  checkpoint: Checkpoint,
  layer: number,
  { headSize, ropeBase }: ModelConfig,
): Float32Array {
  const name = `model.layers.${layer}.self_attn.rotary_emb.inv_freq`;
  if (checkpoint.tensors.has(name)) return reader(checkpoint)(name, headSize / 2);
  return Float32Array.from({ length: headSize / 2 }, (_, i) => ropeBase ** ((-2 * i) / headSize));
}

function reader(checkpoint: Checkpoint, prefix = ''): Read {
  return (name, ...shape) => {
    const entry = checkpoint.tensors.get(prefix + name);
    if (entry?.shape.join() !== shape.join()) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${prefix}${name} is [${entry?.shape.join(', ') ?? 'absent'}], not [${shape.join(', ')}].`,
      );
    }
    return readNumbers(entry);
  };
}

function readMatrix(weights: Read, name: string, rows: number, width: number): Matrix {
  return matrix(rows, width, weights(name, rows, width));
}
