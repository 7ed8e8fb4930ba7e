import { describe, expect, it } from 'vitest';
import { config19B, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { planTypes } from '../../src/checkpoint/type-preset.ts';
import type { TensorEntry } from '../../src/checkpoint/types.ts';
import { planMemory } from '../../src/model/memory-plan.ts';
import { measureParts, partOf, processorOf } from '../../src/model/parts.ts';
import { configOf } from './tiny-checkpoint.ts';

const config = configOf(config19B);

/** The tensors of the 19 B model after `convert --type int4`. */
function int4(): TensorEntry[] {
  const bf16 = Array.from(tensorShapes(config19B), ([name, shape]): TensorEntry => {
    const sizeBytes = shape.reduce((a, b) => a * b, 2);
    return { name, shape, type: 'bf16', sizeBytes, file: '', offsetBytes: 0 };
  });
  return planTypes(bf16, 'int4').map(({ entry, type, sizeBytes }) => ({ ...entry, type, sizeBytes }));
}

const sizes = measureParts(int4(), { isFloat32: false });
const demand = { config, sizes, contextSize: 8192, kvTokens: 8192, isFloat32: false, packableBytes: 0 };
const cpu = { name: 'CPU', freeBytes: 22e9 };
const plan = (gpuBytes: number | null, more = {}) =>
  planMemory({ ...demand, ...more }, cpu, gpuBytes === null ? null : { name: 'GPU0', freeBytes: gpuBytes });
const onGpu = (p: ReturnType<typeof plan>) =>
  Object.fromEntries(p.parts.map(({ name, layersOnGpu }) => [name, layersOnGpu]));

describe('a plan', () => {
  it('assigns every published tensor to a part', () => {
    const total = int4().reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
    const parts = plan(null).parts;
    expect(parts.reduce((sum, part) => sum + part.sizeBytes, 0)).toBe(total);
    expect(parts.map(({ layers }) => layers)).toEqual([63, 1, 1, 32, 32, 1]);
    expect(partOf('model.layers.7.self_attn.rotary_emb.inv_freq').part).toBe('language experts');
    expect(partOf('model.norm.weight').part).toBe('lm_head');
    expect(partOf('model.vision.boi').part).toBe('adapter');
  });

  it('has a KV cache of the published size', () => {
    expect(plan(null).cacheBytes).toBe(8192 * 131_072);
    expect(plan(null, { kvTokens: 3 * 8192 }).cacheBytes).toBe(3 * 8192 * 131_072);
  });

  it('needs less memory than the file, because not all parts are in use at the same time', () => {
    const [device] = plan(null).devices;
    expect(device?.neededBytes).toBeLessThan(8e9);
    expect(device?.neededBytes).toBeGreaterThan(5e9);
  });

  it('counts kept packed copies separately, and requires twice their size as free memory', () => {
    const copies = (packableBytes: number) => plan(null, { packableBytes }).packedCopies;
    expect(copies(3.9e9)).toEqual({ sizeBytes: 3.9e9, kept: true });
    expect(copies(11.1e9)).toEqual({ sizeBytes: 11.1e9, kept: false });
    expect(copies(0)).toEqual({ sizeBytes: 0, kept: false });
    expect(plan(null, { packableBytes: 11.1e9 })).toMatchObject({
      problem: null,
      devices: plan(null).devices,
    });
  });

  it('counts copies for the next layer as scratch memory', () => {
    const without = plan(null);
    const packed = plan(null, { packedAhead: { tower: 3e9, 'vision experts': 5e9 } });
    expect(packed.towerScratchBytes).toBe(without.towerScratchBytes + 3e9);
    expect(packed.decoderScratchBytes).toBe(without.decoderScratchBytes + 5e9);
  });

  it('places everything except the embeddings on a large GPU', () => {
    expect(onGpu(plan(24e9))).toEqual({
      tower: 63,
      adapter: 1,
      embeddings: 0,
      'vision experts': 32,
      'language experts': 32,
      lm_head: 1,
    });
  });

  it('fills a small GPU with the tower first, then with the weights of the language experts', () => {
    const eight = onGpu(plan(8e9));
    expect([eight.tower, eight.adapter]).toEqual([63, 1]);
    expect(eight['language experts']).toBeGreaterThan(15);
    expect(eight['vision experts']).toBeLessThan(32);
    const two = onGpu(plan(2e9));
    expect(two.tower).toBeGreaterThan(10);
    expect(two.tower).toBeLessThan(63);
  });

  it.each([0, 1e8, 2e9, 4e9, 8e9, 12e9, 16e9, 80e9])('never uses more than %d bytes of a GPU', (bytes) => {
    const gpu = plan(bytes).devices.find(({ place }) => place === 'gpu');
    expect(gpu?.neededBytes).toBeLessThanOrEqual(bytes);
  });

  it('places a tensor on the device of its layer', () => {
    const { placement } = plan(2e9);
    expect(processorOf(placement, 'model.vision.transformer.layers.0.mlp.fc1.weight')).toBe('gpu');
    expect(processorOf(placement, 'model.vision.transformer.layers.62.mlp.fc1.weight')).toBe('cpu');
    expect(processorOf(placement, 'model.embed_tokens.weight')).toBe('cpu');
  });

  it('refuses a model that cannot fit, with the numbers', () => {
    const { problem } = planMemory(demand, { name: 'CPU', freeBytes: 4e9 }, null);
    expect(problem).toMatch(/needs \d\.\d GB of memory at once \(.*8192 tokens.*\), but 4\.0 GB are free/);
    expect(plan(null).problem).toBeNull();
    const float32 = { ...demand, sizes: measureParts(int4(), { isFloat32: true }), isFloat32: true };
    expect(planMemory(float32, cpu, null).problem).toMatch(/needs \d\d\.\d GB/);
  });
});
