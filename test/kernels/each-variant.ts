import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Kernels } from '../../src/kernels/kernels.ts';
import { openVariant, supportedVariants } from '../../src/kernels/library.ts';
import { platformHere, platforms, type Variant } from '../../src/kernels/variants.ts';

/** All variants that this machine can run, from the committed library or from COGVLM2_KERNELS_DIR. */
export function eachVariant(): { variant: Variant; kernels: Kernels }[] {
  const platform = platformHere();
  if (!platform) return [];
  const folder =
    process.env.COGVLM2_KERNELS_DIR ?? fileURLToPath(new URL('../../src/kernels/prebuilt', import.meta.url));
  const file = `${folder}/${platforms[platform].file}`;
  if (!existsSync(file)) return [];
  return supportedVariants(file).map((variant) => ({ variant, kernels: openVariant(file, variant) }));
}
