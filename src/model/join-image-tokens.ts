import type { Engine, Processor } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import { TensorSet } from './tensor-set.ts';

/**
 * The image tokens of a video's frames, one frame after the other: [H, frames * imageTokens]. The caller disposes the result; the
 * frames stay as they are.
 * @throws CogVLM2Error `out_of_memory`
 */
export async function joinImageTokens(
  engine: Engine,
  frames: readonly TensorSet<'imageTokens'>[],
  processor: Processor,
): Promise<TensorSet<'imageTokens'>> {
  const parts = frames.map((frame) => frame.get('imageTokens'));
  const rows = parts.reduce((sum, { shape }) => sum + shape[1], 0);
  const joined = new TensorSet(
    engine,
    [['imageTokens', 'f32', [parts[0]?.shape[0] ?? 0, rows]] as const],
    processor,
  );
  try {
    const graph = new Graph(engine);
    let start = 0;
    for (const part of parts) {
      graph.effect(graph.copy(part, graph.rows(joined.get('imageTokens'), start, part.shape[1])));
      start += part.shape[1];
    }
    await graph.run();
    return joined;
  } catch (error) {
    joined[Symbol.dispose]();
    throw error;
  }
}
