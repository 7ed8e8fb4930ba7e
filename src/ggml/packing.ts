import koffi from 'koffi';
import { Context } from './context.ts';
import type { Pointer } from './declarations.ts';
import { findDevice } from './devices.ts';
import { type DType, dtypeNames, isFloat, isTarget } from './dtype.ts';
import { ggml } from './library.ts';
import type { Tensor } from './tensor.ts';

/** Types that this machine's CPU multiplies faster from a layout of its own. @throws CogVLM2Error `engine_unavailable`. */
export function packedTypes(): DType[] {
  const packing = new Packing(findDevice('cpu').pointer);
  return dtypeNames.filter(
    (type) => isTarget(type) && packing.bufferTypeFor({ type, shape: [4096, 4096, 1, 1] }),
  );
}

/** What decides whether there is a layout for a weight. */
export type Weight = Pick<Tensor, 'type' | 'shape'>;

/**
 * Types whose packed products round one row and four rows alike, so that a sequence's numbers do not depend on how many
 * are decoded beside it. Those of q4_K do not: one row differs from four in the last bits.
 */
const roundsAlike: ReadonlySet<DType> = new Set(['q4_0', 'iq4_nl']);

/** Of weights as they are stored: whether one row is multiplied by another kernel than two and more, which round alike. */
export function oneRowDiffers(type: DType): boolean {
  return isFloat(type) || type === 'iq4_nl';
}

/**
 * The layouts of weights that this CPU multiplies faster than the stored one: ggml's "extra buffer types". Rows are
 * interleaved so that one instruction serves eight of them. A packed copy is as large as the original; ggml makes it
 * when a tensor in such a buffer is set.
 */
export class Packing {
  readonly #device: Pointer;
  readonly #bufferTypes: Pointer[];
  readonly #known = new Map<string, Pointer | null>();

  constructor(cpuDevice: Pointer) {
    this.#device = cpuDevice;
    this.#bufferTypes = extraBufferTypes(cpuDevice);
  }

  /**
   * Whether a packed copy of this weight may be used for every token.
   * @param options.alikeOnly not if its products would round one row otherwise than several
   */
  keeps(weight: Weight, { alikeOnly }: { alikeOnly: boolean }): boolean {
    return (!alikeOnly || roundsAlike.has(weight.type)) && this.bufferTypeFor(weight) !== null;
  }

  /** Where a packed copy of this weight can live, or null when the CPU has no better layout for its type and shape. */
  bufferTypeFor({ type, shape }: Weight): Pointer | null {
    const key = `${type} ${shape.join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#bufferTypes.find((bufferType) => this.#packs({ type, shape }, bufferType)) ?? null;
    this.#known.set(key, found);
    return found;
  }

  /** Asks ggml with a product on a tensor that never gets data, so that its memory is only address space. */
  #packs({ type, shape }: Weight, bufferType: Pointer): boolean {
    const lib = ggml();
    using weightContext = Context.forTensors(1);
    using productContext = Context.forTensors(2);
    const weight = weightContext.tensor(type, shape);
    const buffer = lib.pointer('ggml_backend_alloc_ctx_tensors_from_buft', weightContext.pointer, bufferType);
    try {
      const x = productContext.tensor('f32', [shape[0], 1]);
      const product = lib.pointer('ggml_mul_mat', productContext.pointer, weight.pointer, x.pointer);
      return lib.number('ggml_backend_dev_supports_op', this.#device, product) !== 0;
    } finally {
      lib.run('ggml_backend_buffer_free', buffer);
    }
  }
}

function extraBufferTypes(device: Pointer): Pointer[] {
  const lib = ggml();
  const registry = lib.pointer('ggml_backend_dev_backend_reg', device);
  const name = 'ggml_backend_dev_get_extra_bufts';
  const address = lib.number('ggml_backend_reg_get_proc_address', registry, name);
  if (address === 0) return [];
  const list: unknown = koffi.decode(BigInt(address), koffi.proto('void *(void *device)'))(device);
  const types: Pointer[] = [];
  while (typeof list === 'bigint') {
    const next: unknown = koffi.decode(list, types.length * 8, 'void *');
    if (typeof next !== 'bigint' || next === 0n) break;
    types.push(next);
  }
  // ggml's AMX layout rounds one row and several rows differently, so a row would depend on its batch.
  return types.filter((type) => !lib.text('ggml_backend_buft_name', type).includes('AMX'));
}
