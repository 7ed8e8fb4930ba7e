import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type NamedArray, writeSafetensors } from '../../../src/checkpoint/safetensors.ts';
import { randomFrom } from '../../../src/generate/sampler.ts';

const peftPrefix = 'base_model.model.';

/** The configuration of PEFT for rank 2 and alpha 4, with changes. */
export function peftConfig(changes: object = {}): object {
  return { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: 'all-linear', bias: 'none', ...changes };
}

/** Writes an adapter. Keys have no prefix. @returns the folder */
export function writeAdapter(
  folder: string,
  tensors: readonly NamedArray[],
  config: object = peftConfig(),
): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'adapter_config.json'), JSON.stringify(config));
  const named = tensors.map((tensor) => ({ ...tensor, name: peftPrefix + tensor.name }));
  writeSafetensors(path.join(folder, 'adapter_model.safetensors'), named);
  return folder;
}

/** Random numbers that are large enough to change the result. */
export function randomTensor(
  name: string,
  shape: readonly number[],
  seed: number,
): NamedArray & { data: Float32Array } {
  const random = randomFrom(seed);
  const count = shape.reduce((a, b) => a * b, 1);
  return { name, shape, data: Float32Array.from({ length: count }, () => random() - 0.5) };
}

/** A [r, in] and B [out, r] of a module. */
export function randomPair(modulePath: string, [out, inputs]: readonly number[], r: number, seed: number) {
  return [
    randomTensor(`${modulePath}.lora_A.weight`, [r, inputs ?? 0], seed),
    randomTensor(`${modulePath}.lora_B.weight`, [out ?? 0, r], seed + 1),
  ];
}
