import { randomFrom } from '../src/generate/sampler.ts';
import { type DType, isTarget, rowBytes } from '../src/ggml/dtype.ts';
import { Quantizer } from '../src/ggml/quantize.ts';

/** All tensors copy their elements from this block. */
const blockElements = 2 ** 22;
const pieceElements = 2 ** 20;
/** Pieces begin at multiples of the largest quantization block. */
const stepElements = 256;

/**
 * Random numbers for tensors, from one block of random numbers: 19 billion new ones would take an hour. Each piece begins at another
 * position in the block. The block of a matrix is scaled by its number of columns, so that activations keep their size. The weights
 * of the tower's norms are small, because their outputs are added 126 times.
 */
export class RandomValues {
  readonly #random = randomFrom(1);
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #quantizer = new Quantizer();

  async *of(
    tensor: { name: string; shape: readonly number[]; elements: number },
    type: DType,
  ): AsyncGenerator<Uint8Array> {
    const { name, shape, elements } = tensor;
    if (name.endsWith('inv_freq')) {
      const table = Float32Array.from({ length: elements }, (_, i) => 500_000 ** (-i / elements));
      return yield await this.#convert(table, type);
    }
    const columns = shape.slice(1).reduce((product, axis) => product * axis, 1);
    const isNorm = /norm\d?\.weight$/.test(name);
    const center = isNorm ? (name.includes('transformer') ? 0.2 : 1) : 0;
    const isMatrix = columns > 1 && !/embed_tokens|embedding|[be]oi$/.test(name);
    const deviation = isMatrix ? 1 / Math.sqrt(columns) : isNorm ? center / 10 : 0.05;
    const block = await this.#block(center, deviation, type);
    for (let at = 0; at < elements; at += pieceElements) {
      const count = Math.min(pieceElements, elements - at);
      const start = Math.floor((this.#random() * (blockElements - count)) / stepElements) * stepElements;
      yield block.subarray(rowBytes(type, start), rowBytes(type, start + count));
    }
  }

  async #block(center: number, deviation: number, type: DType): Promise<Uint8Array> {
    const key = `${center} ${deviation} ${type}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      // A uniform distribution with this standard deviation.
      const width = deviation * Math.sqrt(12);
      const draw = () => center + (this.#random() - 0.5) * width;
      block = await this.#convert(Float32Array.from({ length: blockElements }, draw), type);
      this.#blocks.set(key, block);
    }
    return block;
  }

  async #convert(values: Float32Array, type: DType): Promise<Uint8Array> {
    if (!isTarget(type)) throw new TypeError(`Random values are not written as ${type}.`);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < values.length; at += pieceElements) {
      const floats = values.slice(at, at + pieceElements);
      parts.push((await this.#quantizer.convert(new Uint8Array(floats.buffer), 'f32', type)).slice());
    }
    return Buffer.concat(parts);
  }
}
