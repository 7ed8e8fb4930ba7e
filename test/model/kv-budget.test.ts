import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import type { Checkpoint } from '../../src/checkpoint/types.ts';
import { ggml } from '../../src/ggml/library.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { defaultKvTokens } from '../../src/model/kv-cache.ts';
import { planModel } from '../../src/model/plan-model.ts';
import { tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-kv-budget-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  // contextSize, parallel, bytes of a token, tokens
  [8192, 8, 131_072, 16_384], // the 19 B model: 2 GiB
  [8192, 1, 131_072, 8192],
  [8192, 8, 2 ** 20, 8192], // at least one context
  [512, 8, 1024, 4096], // at most one context for each sequence
])(
  '%d tokens of context, %d sequences, %d bytes a token: %d tokens',
  (contextSize, parallel, bytes, tokens) => {
    expect(defaultKvTokens(contextSize, parallel, bytes)).toBe(tokens);
  },
);

describe.each(['f32', 'bf16'] as const)('%s', (type) => {
  async function checkpoint(): Promise<Checkpoint> {
    // 1,024 tokens are a multiple of the blocks of every layout.
    const config = { ...tinyConfig, max_position_embeddings: 1024 };
    const source = openCheckpoint(writeTinyCheckpoint(path.join(folder, type), { config }));
    if (type === 'f32') return source;
    const file = path.join(folder, `${type}.gguf`);
    await convertToGguf(source, file, { type });
    return openCheckpoint(file);
  }

  test.each([undefined, 1, 3])(
    'the KV caches of a model have the bytes of the plan (parallel: %s)',
    async (parallel) => {
      const options = {
        device: 'cpu',
        compute: type === 'f32' ? ('f32' as const) : ('stored' as const),
        ...(parallel !== undefined && { parallel }),
      };
      const from = await checkpoint();
      const { plan } = planModel(from, options);
      expect(plan.kvTokens).toBe((parallel ?? 8) * 1024);
      using model = await Model.load(from, options);
      expect(model.kvTokens).toBe(plan.kvTokens);
      const buffers: bigint[] = [];
      const pointer = ggml().pointer;
      const spy = vi.spyOn(ggml(), 'pointer').mockImplementation((name, ...args) => {
        const result = pointer(name, ...args);
        if (name === 'ggml_backend_alloc_ctx_tensors_from_buft') buffers.push(result);
        return result;
      });
      for (let tokens = 0; tokens < model.kvTokens; tokens += 1024) model.newCache(1024);
      spy.mockRestore();
      const bytes = buffers.map((buffer) => ggml().number('ggml_backend_buffer_get_size', buffer));
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBe(plan.cacheBytes);
      expect(plan.cacheBytes).toBe(plan.kvTokens * model.kvBytesPerToken);
    },
  );
});
