import koffi from 'koffi';
import type { Pointer } from '../ggml/declarations.ts';
import { type DType, dtypes } from '../ggml/dtype.ts';
import { contiguousStrides, type Shape } from '../ggml/tensor.ts';

/** A tensor for a kernel without a graph. Its memory belongs to JavaScript. */
export interface PlainTensor {
  type: DType;
  shape: Shape;
  data: Uint8Array<ArrayBuffer>;
  strides?: Shape;
  /** Offset of the first element in `data`. */
  offsetBytes?: number;
}

const kernelType = koffi.proto('void cogvlm2_kernel(void *dst, int thread, int threads, void *user)');
const structBytes = 336;
const [shapeAt, stridesAt, sourcesAt, dataAt] = [16, 48, 152, 248];

/**
 * Calls a kernel for each thread, one after the other, for the self-test and the tests. Fills `dst.data`.
 * @returns the address of the first element of `dst`
 */
export function callKernel(
  address: Pointer,
  dst: PlainTensor,
  sources: readonly PlainTensor[],
  { threads = 1, user = 0n }: { threads?: number; user?: bigint } = {},
): Pointer {
  // Keep a reference to all buffers that native memory points to until the end.
  const structs = [dst, ...sources].map(structOf);
  const [target] = structs;
  for (const [i, source] of structs.slice(1).entries())
    target!.writeBigUInt64LE(koffi.address(source), sourcesAt + 8 * i);
  const kernel = koffi.decode(address, kernelType);
  for (let thread = 0; thread < threads; thread++) kernel(target, thread, threads, user);
  return addressOf(dst);
}

/** Address of a tensor's first element. */
export function addressOf({ data, offsetBytes = 0 }: PlainTensor): Pointer {
  return koffi.address(data) + BigInt(offsetBytes);
}

function structOf({ type, shape, data, strides, offsetBytes = 0 }: PlainTensor): Buffer {
  const struct = Buffer.alloc(structBytes);
  struct.writeInt32LE(dtypes[type].id);
  for (const [axis, size] of shape.entries()) struct.writeBigInt64LE(BigInt(size), shapeAt + 8 * axis);
  for (const [axis, stride] of (strides ?? contiguousStrides(type, shape)).entries())
    struct.writeBigUInt64LE(BigInt(stride), stridesAt + 8 * axis);
  struct.writeBigUInt64LE(addressOf({ type, shape, data, offsetBytes }), dataAt);
  return struct;
}
