import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from '../ggml/declarations.ts';
import type { Device } from '../ggml/devices.ts';
import type { Kernels } from './kernels.ts';
import { selfTest } from './self-test.ts';
import { platformHere, platforms, type Variant, variants } from './variants.ts';

/** The selected kernels, for `doctor` and `bench`. */
export interface KernelsInfo {
  variant: Variant | 'ggml';
  /** The variants that this processor can run, fastest last (but see `fastestOf`). */
  supported: Variant[];
  /** Why ggml's kernels are used; null if ours are used. */
  reason: string | null;
}

let loaded: { kernels: Kernels | null; info: KernelsInfo } | undefined;

/**
 * The kernels for this processor. Null means that ggml's kernels are used: there is no library for the system, the processor can run
 * no variant, the self-test failed, or `COGVLM2_KERNELS=ggml` is set. The library is loaded once per process.
 * @throws CogVLM2Error `invalid_value` for a `COGVLM2_KERNELS` that does not exist or cannot run here.
 */
export function kernels(): Kernels | null {
  loaded ??= load(process.env.COGVLM2_KERNELS ?? '');
  return loaded.kernels;
}

/**
 * The kernels of an engine on this device. Our kernels were never run together with a GPU, so ggml also computes the CPU's part there.
 * @throws CogVLM2Error `invalid_value` like `kernels`.
 */
export function kernelsFor({ kind }: Pick<Device, 'kind'>): Kernels | null {
  return kind === 'cpu' ? kernels() : null;
}

/** @throws CogVLM2Error `invalid_value` like `kernels`. */
export function kernelsInfo(): KernelsInfo {
  kernels();
  return loaded!.info;
}

function load(wanted: string): { kernels: Kernels | null; info: KernelsInfo } {
  const without = (reason: string, supported: Variant[] = []) => {
    checkWanted(wanted, supported);
    return { kernels: null, info: { variant: 'ggml' as const, supported, reason } };
  };
  const platform = platformHere();
  if (!platform) return without(`there are no kernels for ${process.platform} ${process.arch}`);
  const file = `${prebuiltFolder()}/${platforms[platform].file}`;
  if (!existsSync(file)) return without(`${file} is missing`);
  try {
    const supported = supportedVariants(file);
    checkWanted(wanted, supported);
    if (wanted === 'ggml') return without('COGVLM2_KERNELS=ggml', supported);
    const variant = variants.find((name) => name === wanted) ?? fastestOf(file, supported);
    if (!variant) return without('this processor has none of the required instruction sets');
    const found = openVariant(file, variant);
    const problem = selfTest(found);
    if (problem === null) return { kernels: found, info: { variant, supported, reason: null } };
    throw new Error(`the self-test of ${variant} failed: ${problem}`);
  } catch (error) {
    if (error instanceof CogVLM2Error) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `cogvlm2: uses the slower kernels of ggml, because its own kernels do not work on this machine: ${reason}\n`,
    );
    return without(reason);
  }
}

/** The folder of the prebuilt libraries. */
export function prebuiltFolder(): string {
  return (
    process.env.COGVLM2_KERNELS_DIR || fileURLToPath(new URL('../../src/kernels/prebuilt/', import.meta.url))
  );
}

/** The variants that this processor and its operating system can run. Tests run each of them. */
export function supportedVariants(file: string): Variant[] {
  const bits = Number(koffi.load(file).func('int cogvlm2_supported_variants()')());
  return variants.filter((_, i) => (bits >> i) & 1);
}

function fastestOf(file: string, supported: readonly Variant[]): Variant | undefined {
  const isSlow = koffi.load(file).func('int cogvlm2_bf16_is_slow()')() !== 0;
  return supported.filter((name) => name !== 'avx512bf16' || !isSlow).at(-1);
}

/** One variant of a library. It need not be the selected one. */
export function openVariant(file: string, variant: Variant): Kernels {
  const library = koffi.load(file);
  const parameters = 'void *from, size_t row_bytes, int64_t k, int64_t columns';
  const packNibbles = library.func(`void pack_nibbles_${variant}(${parameters}, int type, void *to)`);
  const packBytes = library.func(`void pack_bytes_${variant}(${parameters}, void *convert, void *to)`);
  return {
    variant,
    address: (name) => koffi.address(library.symbol(`${name}_${variant}`)),
    packNibbles: (...args) => onPoolThread(packNibbles, args),
    packBytes: (...args) => onPoolThread(packBytes, args),
  };
}

function onPoolThread(
  native: ReturnType<ReturnType<typeof koffi.load>['func']>,
  args: readonly (Pointer | number | null)[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: unknown) => (error ? reject(error) : resolve()));
  });
}

/** @throws CogVLM2Error `invalid_value` */
function checkWanted(wanted: string, supported: readonly Variant[]): void {
  if (wanted === '' || wanted === 'ggml' || supported.some((name) => name === wanted)) return;
  throw new CogVLM2Error(
    'invalid_value',
    `COGVLM2_KERNELS is "${wanted}"; this machine can run ${['ggml', ...supported].join(', ')}.`,
  );
}
