/**
 * A fingerprint of a file, or of all files of a checkpoint, without reading gigabytes: the SHA-256 of names, sizes, and 64 KiB
 * at eight places of each file. This is enough for checkpoints, because further training changes all weights.
 */
import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

const samples = 8;
const sampleBytes = 2 ** 16;

export interface Fingerprint {
  readonly sizeBytes: number;
  /** 16 hexadecimal digits. */
  readonly fingerprint: string;
}

export async function fingerprintOf(paths: readonly string[]): Promise<Fingerprint> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for (const file of (await Promise.all(paths.map(filesAt))).flat()) {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    hash.update(`${path.basename(file)} ${size}\n`);
    sizeBytes += size;
    for (let i = 0; i < samples; i++) {
      const at = Math.floor((Math.max(0, size - sampleBytes) * i) / (samples - 1));
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(sampleBytes), 0, sampleBytes, at);
      hash.update(buffer.subarray(0, bytesRead));
    }
  }
  return { sizeBytes, fingerprint: hash.digest('hex').slice(0, 16) };
}

async function filesAt(given: string): Promise<string[]> {
  if (!(await stat(given)).isDirectory()) return [given];
  const names = (await readdir(given)).filter((name) => /\.(?:safetensors|json)$/.test(name));
  return names.sort().map((name) => path.join(given, name));
}
