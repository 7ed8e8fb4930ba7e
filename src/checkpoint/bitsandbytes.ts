import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { dtypes, type FloatType } from '../ggml/dtype.ts';
import { readFileBytes } from './read-file.ts';
import type { StoredTensor } from './safetensors.ts';
import type { TensorEntry } from './types.ts';
import { type Packed, readFloats } from './unpack.ts';

/**
 * The 4-bit layout of bitsandbytes as transformers saves it. The codes have the weight's own name. Beside them are
 * `NAME.absmax`, `NAME.quant_map`, for nested scales `NAME.nested_absmax` and `NAME.nested_quant_map`, and JSON as
 * bytes in `NAME.quant_state.bitsandbytes__nf4` (or `__fp4`).
 */
const statePattern = /^(.+)\.quant_state\.bitsandbytes__(\w+)$/;
/** It is a few hundred bytes. */
const maxStateBytes = 65_536;

const count = z.number().int().positive();
/** The sizes that bitsandbytes has, so that a piece is whole blocks. */
const blockSize = z.literal([32, 64, 128, 256, 512, 1024, 2048, 4096]);
const stateSchema = z
  .object({
    quant_type: z.enum(['nf4', 'fp4']),
    blocksize: blockSize,
    dtype: z.enum(['float32', 'float16', 'bfloat16']),
    shape: z.array(count).min(1).max(4),
    nested_blocksize: count.optional(),
    nested_dtype: z.literal('float32').optional(),
    nested_offset: z.number().optional(),
  })
  .refine(
    (state) => (state.nested_blocksize === undefined) === (state.nested_offset === undefined),
    'nested_blocksize and nested_offset go together',
  );
type QuantState = z.infer<typeof stateSchema>;

const types: Readonly<Record<QuantState['dtype'], FloatType>> = {
  float32: 'f32',
  float16: 'f16',
  bfloat16: 'bf16',
};

/**
 * Replaces each packed weight and its additional tensors by one tensor of the true shape and type.
 * @throws CogVLM2Error `invalid_checkpoint` naming the tensor that is missing or wrong.
 */
export function joinPacked(
  stored: ReadonlyMap<string, StoredTensor>,
): Map<string, StoredTensor | TensorEntry> {
  const joined = new Map<string, StoredTensor | TensorEntry>(stored);
  for (const [stateName, tensor] of stored) {
    const [, name] = statePattern.exec(stateName) ?? [];
    if (name === undefined) continue;
    const state = readState(tensor);
    const parts = new Parts(name, state, stored);
    const entry = packedEntry(state, parts);
    for (const used of [stateName, ...parts.used]) joined.delete(used);
    joined.set(name, entry);
  }
  return joined;
}

function readState(stored: StoredTensor): QuantState {
  if (stored.sizeBytes > maxStateBytes)
    throw wrong(stored, `${stored.sizeBytes} bytes are too many for a quant_state`);
  const bytes = Buffer.alloc(stored.sizeBytes);
  readFileBytes(stored, 0, bytes);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw wrong(stored, 'it is not JSON', cause);
  }
  const parsed = stateSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw wrong(stored, `${issue?.path.join('.') || 'the JSON'}: ${issue?.message}`);
}

function packedEntry(state: QuantState, parts: Parts): TensorEntry {
  const elements = state.shape.reduce((product, axis) => product * axis, 1);
  const blocks = Math.ceil(elements / state.blocksize);
  // The codes may be in tensors of any type: only the bytes are used.
  const codes = parts.take('', Math.ceil(elements / 2));
  const map = readFloats(parts.take('.quant_map', 16 * 4, 'f32'), 0, 16);
  const nested = nestedScales(state, blocks, parts);
  const absmax = nested ? parts.take('.absmax', blocks, 'u8') : parts.take('.absmax', blocks * 4, 'f32');
  const type = types[state.dtype];
  const { name, file, offsetBytes } = codes;
  return {
    name,
    type,
    shape: state.shape,
    file,
    offsetBytes,
    sizeBytes: elements * dtypes[type].bytes,
    packed: {
      quantType: state.quant_type,
      type,
      codes,
      map,
      blockSize: state.blocksize,
      absmax,
      ...(nested && { nested }),
      sizeBytes: parts.sizeBytes,
    },
  };
}

function nestedScales(state: QuantState, scales: number, parts: Parts): Packed['nested'] {
  const { nested_blocksize: blockSize, nested_offset: offset = 0 } = state;
  if (blockSize === undefined) return undefined;
  const blocks = Math.ceil(scales / blockSize);
  const map = readFloats(parts.take('.nested_quant_map', 256 * 4, 'f32'), 0, 256);
  return {
    map,
    blockSize,
    blocks,
    absmax: parts.take('.nested_absmax', blocks * 4, 'f32'),
    offset: Math.fround(offset),
  };
}

/** The tensors of one packed weight. */
class Parts {
  readonly used: string[] = [];
  sizeBytes = 0;
  readonly #name: string;
  readonly #state: QuantState;
  readonly #stored: ReadonlyMap<string, StoredTensor>;

  constructor(name: string, state: QuantState, stored: ReadonlyMap<string, StoredTensor>) {
    this.#name = name;
    this.#state = state;
    this.#stored = stored;
  }

  take(suffix: string, sizeBytes: number, type?: StoredTensor['type']): StoredTensor {
    const name = this.#name + suffix;
    const found = this.#stored.get(name);
    if (!found) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${name} is missing; ${this.#name} is packed by bitsandbytes and cannot be read without it.`,
      );
    }
    if (found.sizeBytes !== sizeBytes || (type && found.type !== type)) {
      const { shape, blocksize } = this.#state;
      throw wrong(
        found,
        `it has ${found.sizeBytes} bytes of ${found.type}, but [${shape.join(', ')}] in blocks of ${blocksize} takes ${sizeBytes}${type ? ` of ${type}` : ''}`,
      );
    }
    this.used.push(name);
    this.sizeBytes += sizeBytes;
    return found;
  }
}

function wrong({ name, file }: StoredTensor, why: string, cause?: unknown): CogVLM2Error {
  return new CogVLM2Error('invalid_checkpoint', `${name} in ${file}: ${why}.`, { cause });
}
