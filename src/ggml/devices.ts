import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';
import { ggml } from './library.ts';
import { availableMemoryBytes, totalMemoryBytes } from './machine.ts';

export interface Device {
  name: string;
  description: string;
  kind: 'cpu' | 'gpu' | 'igpu' | 'accel';
  memoryTotalBytes: number;
  memoryFreeBytes: number;
}

const kinds = ['cpu', 'gpu', 'igpu', 'accel'] as const;

/** The devices of this machine that the loaded libraries know. @throws CogVLM2Error `engine_unavailable`. */
export function listDevices(): Device[] {
  return devicePointers().map(readDevice);
}

/**
 * `auto` takes the first GPU, else the CPU; otherwise a kind (`cpu`, `gpu`), `metal`, or the beginning of a device's
 * name (`vulkan`, `cuda0`), in any case.
 * @throws CogVLM2Error `invalid_value` naming the existing devices.
 */
export function findDevice(wanted: string): { pointer: Pointer; device: Device } {
  const all = devicePointers().map((pointer) => ({ pointer, device: readDevice(pointer) }));
  const name = wanted.toLowerCase() === 'metal' ? 'mtl' : wanted.toLowerCase(); // as ggml calls it
  const found =
    name === 'auto'
      ? (all.find(({ device }) => device.kind === 'gpu') ?? all.find(({ device }) => device.kind === 'cpu'))
      : all.find(({ device }) => device.kind === name || device.name.toLowerCase().startsWith(name));
  if (found) return found;
  throw new CogVLM2Error(
    'invalid_value',
    `There is no device "${wanted}". Available: ${all.map(({ device }) => device.name).join(', ')}. "cogvlm2 doctor" says how to add others.`,
  );
}

function devicePointers(): Pointer[] {
  const lib = ggml();
  return Array.from({ length: lib.number('ggml_backend_dev_count') }, (_, index) =>
    lib.pointer('ggml_backend_dev_get', index),
  );
}

/** The properties of a device, with its current memory. */
export function readDevice(pointer: Pointer): Device {
  const lib = ggml();
  const free = [0];
  const total = [0];
  lib.run('ggml_backend_dev_memory', pointer, free, total);
  const kind = kinds[lib.number('ggml_backend_dev_type', pointer)] ?? 'accel';
  return {
    name: lib.text('ggml_backend_dev_name', pointer),
    description: lib.text('ggml_backend_dev_description', pointer),
    kind,
    // For the CPU, ggml reports all memory of the machine as free, and no limit of a container.
    memoryTotalBytes: kind === 'cpu' ? totalMemoryBytes() : Number(total[0]),
    memoryFreeBytes: kind === 'cpu' ? availableMemoryBytes() : Number(free[0]),
  };
}
