import koffi from 'koffi';
import { multipliesStored } from '../kernels/float-matmul.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { kernels } from '../kernels/library.ts';
import { type Format, formatOf, packedBytes, packWeight, type Use } from '../kernels/matmul.ts';
import type { Pointer } from './declarations.ts';
import { findDevice } from './devices.ts';
import { type DType, dtypeNames, isFloat, isTarget } from './dtype.ts';
import { ggml } from './library.ts';
import { byteSize, Context, type Tensor } from './tensor.ts';

/** The properties that decide how a weight can be packed. */
export type Weight = Pick<Tensor, 'type' | 'shape'>;

/** A faster layout of a weight on the CPU, and its packing function. */
export interface Layout {
  /** Type and shape of the copy: those of the weight, or bytes for our kernels. */
  type: DType;
  sizes: readonly number[];
  sizeBytes: number;
  /** ggml's kind of memory for it; null for plain memory. */
  bufferType: Pointer | null;
  /** Whether a row's product has the same bits for any number of rows. */
  batchInvariant: boolean;
  /** Fills the copy, on a thread of libuv's pool. */
  pack(weight: Tensor, copy: Tensor): Promise<void>;
}

/** Types that this machine's CPU multiplies faster in another layout. @throws CogVLM2Error `engine_unavailable`. */
export function packedTypes(): DType[] {
  const packing = new Packing(findDevice('cpu').pointer);
  return dtypeNames.filter(
    (type) => isTarget(type) && packing.layoutOf({ type, shape: [4096, 4096, 1, 1] }, 'any rows'),
  );
}

/**
 * Types whose copies in ggml's layout give the same result for one row and for four. Those of q4_K do not: the last bits
 * differ.
 */
const batchInvariantInGgml: ReadonlySet<DType> = new Set(['q4_0', 'iq4_nl']);

/**
 * For stored weights: whether ggml multiplies one row with another kernel than several rows.
 * @param kernels the engine's; null: ggml's
 */
export function oneRowDiffers(weight: Weight, kernels: Kernels | null): boolean {
  if (kernels && multipliesStored(weight)) return false;
  return isFloat(weight.type) || weight.type === 'iq4_nl';
}

/**
 * The layouts of weights that this CPU multiplies faster than the stored one: those of our kernels (src/kernels), else ggml's
 * "extra buffer types", which ggml fills when a tensor in such a buffer is set.
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
   * The best layout for a weight, or null if the stored layout is best.
   * @param use `many rows` allows a layout that is larger and faster with many rows
   */
  layoutOf(weight: Weight, use: Use): Layout | null {
    const found = kernels();
    const format = found && formatOf(found, weight, use);
    return format ? kernelLayout(found, weight, format) : this.#ggmlLayout(weight);
  }

  #ggmlLayout(weight: Weight): Layout | null {
    const isMatrix = weight.shape[2] * weight.shape[3] === 1;
    const bufferType = isMatrix ? this.#bufferTypeFor(weight) : null;
    if (bufferType === null) return null;
    const { type, shape } = weight;
    const sizeBytes = byteSize(type, shape);
    return {
      type,
      sizes: shape,
      sizeBytes,
      bufferType,
      batchInvariant: batchInvariantInGgml.has(type),
      pack: (from, copy) =>
        ggml().runAsync('ggml_backend_tensor_set', copy.pointer, dataOf(from), 0, sizeBytes),
    };
  }

  #bufferTypeFor({ type, shape }: Weight): Pointer | null {
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

function kernelLayout(kernels: Kernels, weight: Weight, format: Format): Layout {
  const sizeBytes = packedBytes(weight, format);
  return {
    type: 'i8',
    sizes: [sizeBytes],
    sizeBytes,
    bufferType: null,
    batchInvariant: true,
    pack: (from, copy) => packWeight(kernels, from, format, dataOf(from), dataOf(copy)),
  };
}

/** Where a tensor's elements are. */
function dataOf({ pointer }: Tensor): Pointer {
  return BigInt(ggml().number('ggml_get_data', pointer));
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
