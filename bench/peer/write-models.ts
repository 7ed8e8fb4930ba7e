/** Writes two models with the same random weights: one for this package, and one for llama.cpp. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { padding, type TensorDescription, writeGgufHeader } from '../../src/checkpoint/gguf.ts';
import { config19B, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { AtomicFile } from '../../src/files/writing.ts';
import { randomFrom } from '../../src/generate/sampler.ts';
import { type DType, dtypeNames, dtypes, rowBytes } from '../../src/ggml/dtype.ts';
import { ggml } from '../../src/ggml/library.ts';
import { type Value, writeLlamaHeader } from './llama-gguf.ts';

const [folder = '', layersText = '8', typeText = 'q4_k'] = process.argv.slice(2);
const layers = Number(layersText);
const type = dtypeNames.find((name) => name === typeText);
if (!type || !Number.isInteger(layers) || layers < 1 || folder === '')
  throw new Error('Give a folder, a number of layers and a type such as q4_k.');
const [hidden, intermediate, heads, kvHeads, vocabulary] = [4096, 14336, 32, 8, 32_000];
mkdirSync(folder, { recursive: true });

const config = {
  ...config19B,
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_multi_query_heads: kvHeads,
  vocab_size: vocabulary,
  bos_token_id: 1,
  eos_token_id: [2],
  pad_token_id: 0,
  // The tower does not run.
  vision_config: {
    ...config19B.vision_config,
    hidden_size: 32,
    num_hidden_layers: 1,
    num_heads: 1,
    intermediate_size: 32,
    image_size: 28,
    num_positions: 5,
  },
};
const ours = Array.from(tensorShapes(config), ([name, shape]) =>
  // The matrices of the decoder. The other tensors are small, and their rows are shorter than a block.
  describe(
    name,
    shape,
    shape.length === 2 && /language_|embed_tokens|lm_head|vision_/.test(name) ? type : 'f32',
  ),
);
write('ours.gguf', ours, (out) =>
  writeGgufHeader(out, 'random', [['config.json', JSON.stringify(config)]], ours),
);

const kv = (hidden / heads) * kvHeads;
const layer = (i: number): TensorDescription[] => [
  describe(`blk.${i}.attn_norm.weight`, [hidden], 'f32'),
  describe(`blk.${i}.attn_q.weight`, [hidden, hidden], type),
  describe(`blk.${i}.attn_k.weight`, [kv, hidden], type),
  describe(`blk.${i}.attn_v.weight`, [kv, hidden], type),
  describe(`blk.${i}.attn_output.weight`, [hidden, hidden], type),
  describe(`blk.${i}.ffn_norm.weight`, [hidden], 'f32'),
  describe(`blk.${i}.ffn_gate.weight`, [intermediate, hidden], type),
  describe(`blk.${i}.ffn_up.weight`, [intermediate, hidden], type),
  describe(`blk.${i}.ffn_down.weight`, [hidden, intermediate], type),
];
const theirs = [
  describe('token_embd.weight', [vocabulary, hidden], type),
  ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
  describe('output_norm.weight', [hidden], 'f32'),
  describe('output.weight', [vocabulary, hidden], type),
];
const tokens = Array.from({ length: vocabulary }, (_, i) =>
  i < 3
    ? ['<unk>', '<s>', '</s>'][i]!
    : i < 259
      ? `<0x${(i - 3).toString(16).toUpperCase().padStart(2, '0')}>`
      : `t${i}`,
);
const values: [string, Value][] = [
  ['general.architecture', { text: 'llama' }],
  ['general.name', { text: 'random' }],
  ['llama.context_length', { u32: 8192 }],
  ['llama.embedding_length', { u32: hidden }],
  ['llama.block_count', { u32: layers }],
  ['llama.feed_forward_length', { u32: intermediate }],
  ['llama.attention.head_count', { u32: heads }],
  ['llama.attention.head_count_kv', { u32: kvHeads }],
  ['llama.rope.dimension_count', { u32: hidden / heads }],
  ['llama.rope.freq_base', { f32: 500_000 }],
  ['llama.attention.layer_norm_rms_epsilon', { f32: 1e-5 }],
  ['llama.vocab_size', { u32: vocabulary }],
  ['tokenizer.ggml.model', { text: 'llama' }],
  ['tokenizer.ggml.tokens', { texts: tokens }],
  ['tokenizer.ggml.scores', { f32s: tokens.map(() => 0) }],
  ['tokenizer.ggml.token_type', { i32s: tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1)) }],
  ['tokenizer.ggml.bos_token_id', { u32: 1 }],
  ['tokenizer.ggml.eos_token_id', { u32: 2 }],
];
write('theirs.gguf', theirs, (out) => writeLlamaHeader(out, values, theirs));

function describe(name: string, shape: readonly number[], as: DType): TensorDescription {
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { name, type: as, shape, sizeBytes: rows * rowBytes(as, shape.at(-1) ?? 1) };
}

function write(name: string, tensors: readonly TensorDescription[], header: (out: AtomicFile) => void): void {
  using out = new AtomicFile(path.join(folder, name));
  header(out);
  for (const { type: as, sizeBytes } of tensors) {
    const bytes = pieceOf(as);
    for (let at = 0; at < sizeBytes; at += bytes.length)
      out.write(bytes.subarray(0, Math.min(bytes.length, sizeBytes - at)));
    out.write(Buffer.alloc(padding(sizeBytes)));
  }
  out.commit();
}

/** Random numbers of the type, which are written repeatedly. */
function pieceOf(as: DType): Uint8Array {
  const count = 2 ** 20;
  const random = randomFrom(1);
  const floats = Float32Array.from({ length: count }, () => (random() - 0.5) * 0.05);
  if (as === 'f32') return new Uint8Array(floats.buffer);
  const bytes = new Uint8Array(rowBytes(as, count));
  ggml().run('ggml_quantize_chunk', dtypes[as].id, floats, bytes, 0, 1, count, null);
  return bytes;
}
