import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { planShards, writeRandomCheckpoint } from '../../bench/random-weights.ts';
import { config19B, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { CogVLM2 } from '../../src/index.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-random-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The published index has 1,221 tensors in 8 shards. The 32 tables of frequencies are not parameters. */
test('has the published layout', () => {
  const shapes = tensorShapes(config19B);
  expect(shapes.size).toBe(1221);
  const shards = planShards(shapes);
  expect(shards).toHaveLength(8);
  const elements = shards.flat().reduce((sum, tensor) => sum + tensor.elements, 0);
  expect(elements - 32 * 64).toBe(19_503_105_280);
  const firsts = shards.map(([first]) => first?.name);
  expect(firsts[0]).toBe('model.embed_tokens.weight');
  expect(firsts[6]).toMatch(/^model\.vision\.transformer/);
});

test('a small checkpoint loads, and its logits are finite', async () => {
  const config = {
    ...config19B,
    hidden_size: 128,
    intermediate_size: 256,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_multi_query_heads: 2,
    vocab_size: 1024,
    bos_token_id: 768,
    eos_token_id: [769],
    pad_token_id: 770,
  };
  const vision = { ...config19B.vision_config, hidden_size: 64, num_hidden_layers: 3, num_heads: 2 };
  config.vision_config = { ...vision, intermediate_size: 96, image_size: 56, num_positions: 17 };
  await writeRandomCheckpoint(folder, { config, family: 'CogVLM2' });
  expect(readdirSync(folder)).toContain('model-00001-of-00001.safetensors');
  using model = await CogVLM2.load({ model: folder });
  const picture = path.resolve('test/fixtures/images/photo.jpg');
  const { text, usage } = await model.ask(picture, 'What is this?', { maxTokens: 4 }).result();
  expect(usage.completionTokens).toBeGreaterThan(0);
  expect(text.length).toBeGreaterThan(0);
});
