/** Renders a few hundred hostile answers in the chat page. test/fuzz/render.ts renders more. */
import { expect, it } from 'vitest';
import { chromiumPath } from '../web/chromium.ts';
import { fuzzRendering } from './render.ts';

const seed = Number(process.env.COGVLM2_FUZZ_SEED ?? Date.now() % 2 ** 31);

it.skipIf(chromiumPath === null)(
  `answers with the seed ${seed}: no code runs, nothing is loaded, and only allowed elements are rendered`,
  { timeout: 240_000 },
  async () => {
    const { renders, findings } = await fuzzRendering(seed, 300, 30);
    expect(findings).toEqual([]);
    expect(renders).toBeGreaterThan(0);
  },
);
