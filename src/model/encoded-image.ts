import { CogVLM2Error } from '../errors.ts';
import { type Engine, type Processor, TensorSet } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import { ggml } from '../ggml/library.ts';

/** The origin of an image's tokens: the vision tower, the memory of this process, or the image cache on disk. */
export type ImageOrigin = 'encoded' | 'memory' | 'disk';

/** An encoded image: image tokens [H, imageTokens] on the device. It can be used for many questions. */
export class EncodedImage {
  /** Size of the original upright image, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly imageTokens: number;
  /** For a video, the text after each frame in the prompt; undefined for an image. */
  readonly frameTexts: readonly string[] | undefined;
  /** Equal for equal content. The prefix cache finds an image by it. */
  readonly contentKey: string;
  /** The adapter that changed the vision tower during encoding; '' for none. */
  readonly adapterKey: string;
  readonly origin: ImageOrigin;
  readonly imageMs: number;
  /** 0 if the tower did not run. */
  readonly visionMs: number;
  /** For the `warnings` of answers about this image. */
  readonly warnings: readonly string[];
  readonly #state: TensorSet<'imageTokens'>;
  readonly #release: () => void;
  #isDisposed = false;

  /** `release` returns the rows to their owner. Other users may still need them. */
  constructor(
    state: TensorSet<'imageTokens'>,
    facts: Pick<
      EncodedImage,
      | 'width'
      | 'height'
      | 'imageTokens'
      | 'frameTexts'
      | 'contentKey'
      | 'adapterKey'
      | 'origin'
      | 'imageMs'
      | 'visionMs'
      | 'warnings'
    >,
    release: () => void,
  ) {
    this.#state = state;
    this.#release = release;
    this.width = facts.width;
    this.height = facts.height;
    this.imageTokens = facts.imageTokens;
    this.frameTexts = facts.frameTexts;
    this.contentKey = facts.contentKey;
    this.adapterKey = facts.adapterKey;
    this.origin = facts.origin;
    this.imageMs = facts.imageMs;
    this.visionMs = facts.visionMs;
    this.warnings = facts.warnings;
  }

  /** The image tokens [H, imageTokens]. @throws CogVLM2Error `disposed`. */
  get state(): TensorSet<'imageTokens'> {
    if (this.#isDisposed)
      throw new CogVLM2Error('disposed', 'The image that this needs was disposed; encode it again.');
    return this.#state;
  }

  /** Frees the memory. An answer that still needs it ends with the error `disposed`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

// Image tokens as f16 numbers in the memory of JavaScript, for the image cache on disk, and back on the device.

/**
 * The bits of the tokens, rounded to f16. The tokens on the device are rounded too, so an answer does not depend on whether its
 * image was just encoded or came from a cache.
 * @returns null, without rounding, if f16 cannot represent one of them
 */
export async function roundToHalves(
  engine: Engine,
  tokens: TensorSet<'imageTokens'>,
  processor: Processor,
): Promise<Uint16Array | null> {
  const exact = tokens.get('imageTokens');
  using rounded = new TensorSet(engine, [['imageTokens', 'f16', exact.shape] as const], processor);
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
  processor: Processor,
): Promise<TensorSet<'imageTokens'>> {
  const tokens = new TensorSet(engine, [['imageTokens', 'f32', sizes] as const], processor);
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

/** In an f16 infinity or NaN, all exponent bits are set. */
function areFinite(halves: Uint16Array): boolean {
  for (const half of halves) if ((half & 0x7c00) === 0x7c00) return false;
  return true;
}
