import { AtomicFile } from '../files/atomic-file.ts';

/** A tensor to be written: `shape` has the fastest axis last. */
export interface NamedArray {
  name: string;
  shape: readonly number[];
  data: Float32Array | BigInt64Array;
}

/**
 * Writes one safetensors file, whole or not at all.
 * @throws CogVLM2Error `write_failed`.
 * @returns the bytes written.
 */
export function writeSafetensors(file: string, arrays: readonly NamedArray[]): number {
  let offset = 0;
  const header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }> =
    {};
  for (const { name, shape, data } of arrays) {
    const dtype = data instanceof Float32Array ? 'F32' : 'I64';
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  using out = new AtomicFile(file);
  const headerBytes = writeSafetensorsHeader(out, header);
  for (const { data } of arrays) out.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  out.commit();
  return headerBytes + offset;
}

/** Its length and the JSON, padded with spaces so that the data begins on a multiple of eight. @returns the bytes of both */
export function writeSafetensorsHeader(out: AtomicFile, header: Readonly<Record<string, unknown>>): number {
  const json = Buffer.from(JSON.stringify(header));
  const text = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  out.write(length);
  out.write(text);
  return 8 + text.length;
}
