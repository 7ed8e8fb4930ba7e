/** Image tokens as f16 numbers in memory of ours: to keep them on disk, and to have them back on the device. */
import type { Engine, Place } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import { ggml } from '../ggml/library.ts';
import { State } from './state.ts';

/**
 * The bits of the tokens, rounded to f16. The tokens on the device are rounded too, so that an answer is the same
 * whether its image was just encoded or comes from a cache.
 * @returns null, and rounds nothing, when f16 cannot hold one of them
 */
export async function roundToHalves(
  engine: Engine,
  tokens: State<'imageTokens'>,
  place: Place,
): Promise<Uint16Array | null> {
  const exact = tokens.get('imageTokens');
  using rounded = new State(engine, [['imageTokens', 'f16', exact.shape] as const], place);
  const half = rounded.get('imageTokens');
  const down = new Graph(engine);
  down.effect(down.copy(exact, half));
  await down.run();
  const halves = await engine.exclusively(async () => {
    const bits = new Uint16Array(exact.shape.reduce((product, axis) => product * axis, 1));
    ggml().run('ggml_backend_tensor_get', half.pointer, bits, 0, bits.byteLength);
    return bits;
  });
  if (!areFinite(halves)) return null;
  const up = new Graph(engine);
  up.effect(up.copy(half, exact));
  await up.run();
  return halves;
}

/** Tokens [hiddenSize, imageTokens] on the device again. @throws CogVLM2Error `out_of_memory`. */
export async function fromHalves(
  engine: Engine,
  halves: Uint16Array,
  sizes: readonly number[],
  place: Place,
): Promise<State<'imageTokens'>> {
  const tokens = new State(engine, [['imageTokens', 'f32', sizes] as const], place);
  try {
    const graph = new Graph(engine);
    graph.effect(graph.copy(graph.input('f16', sizes, halves), tokens.get('imageTokens')));
    await graph.run();
    return tokens;
  } catch (error) {
    tokens[Symbol.dispose]();
    throw error;
  }
}

/** Of an f16 that is infinite or no number, all bits of the exponent are set. */
function areFinite(halves: Uint16Array): boolean {
  for (const half of halves) if ((half & 0x7c00) === 0x7c00) return false;
  return true;
}
