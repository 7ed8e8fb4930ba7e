import { CogVLM2Error } from '../errors.ts';
import { dtypes, type FloatType, rowBytes, type TargetType } from './dtype.ts';
import { ggml } from './library.ts';

/**
 * Elements converted at a time. Without an importance matrix ggml quantizes each block independently, so a tensor can be
 * split between any two blocks, and the memory does not grow with its size.
 */
export const pieceElements = 2 ** 20;

/** Reusable memory for the conversion of one piece. */
export class Quantizer {
  readonly #floats = new Float32Array(pieceElements);
  readonly #result = new Uint8Array(pieceElements * 2);

  /** Bytes held. */
  get sizeBytes(): number {
    return this.#floats.byteLength + this.#result.byteLength;
  }

  /**
   * Converts at most `pieceElements` elements, whole blocks of `to`, on a thread of libuv's pool. The result is
   * overwritten by the next call.
   * @throws CogVLM2Error `invalid_checkpoint` for a NaN or an infinity, `engine_bug`.
   */
  async convert(source: Uint8Array, from: FloatType, to: TargetType): Promise<Uint8Array> {
    const lib = ggml();
    const count = source.byteLength / dtypes[from].bytes;
    if (!Number.isInteger(count) || count > pieceElements || count < 1 || count % dtypes[to].block !== 0) {
      throw new CogVLM2Error(
        'engine_bug',
        `${count} elements are not 1 to ${pieceElements} in whole blocks of ${to}.`,
      );
    }
    const floats = this.#floats.subarray(0, count);
    if (from === 'f32') new Uint8Array(floats.buffer, 0, count * 4).set(source);
    else {
      const widen = from === 'f16' ? 'ggml_fp16_to_fp32_row' : 'ggml_bf16_to_fp32_row';
      await lib.numberAsync(widen, source, floats, count);
    }
    if (!(await lib.numberAsync('ggml_validate_row_data', dtypes.f32.id, floats, floats.byteLength)))
      throw new CogVLM2Error('invalid_checkpoint', 'a weight is not a finite number');
    const result = this.#result.subarray(0, rowBytes(to, count));
    if (to === 'bf16') await lib.numberAsync('ggml_fp32_to_bf16_row', floats, result, count);
    else await lib.numberAsync('ggml_quantize_chunk', dtypes[to].id, floats, result, 0, 1, count, null);
    return result;
  }
}
