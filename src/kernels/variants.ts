/** The instruction sets of the compiled kernels. The last one that a processor supports is the fastest. */
export const variants = ['avx2', 'avxvnni', 'avx512', 'avx512bf16', 'amx'] as const;
export type Variant = (typeof variants)[number];

/** The compiler's `-mcpu` option of each variant. */
export const compilerTargets: Readonly<Record<Variant, string>> = {
  avx2: 'x86_64_v3',
  avxvnni: 'x86_64_v3+avxvnni',
  avx512: 'x86_64_v4+avx512vnni',
  avx512bf16: 'x86_64_v4+avx512vnni+avx512bf16',
  amx: 'x86_64_v4+avx512vnni+avx512bf16+amx_tile+amx_int8+amx_bf16',
};

/** The names that `doctor` and `bench` print. */
export const variantNames: Readonly<Record<Variant, string>> = {
  avx2: 'AVX2 and FMA',
  avxvnni: 'AVX-VNNI',
  avx512: 'AVX-512 VNNI',
  avx512bf16: 'AVX-512 VNNI and BF16',
  amx: 'AMX',
};

/** The prebuilt library of a system: its file, and the target in zig's notation. */
export const platforms = {
  'linux-x64': { file: 'linux-x64.so', target: 'x86_64-linux-gnu.2.28' },
  'win32-x64': { file: 'win32-x64.dll', target: 'x86_64-windows-gnu' },
  'darwin-x64': { file: 'darwin-x64.dylib', target: 'x86_64-macos.11.0' },
} as const;
export type Platform = keyof typeof platforms;

/**
 * `LANES` (c/simd.h) is the number of floats in a vector. `PAIR` (c/float-math.h) is 2 if a word has two bf16 values, and 1 if it is
 * one float.
 */
export const vectorLayouts: Readonly<Record<Variant, { lanes: number; pair: number }>> = {
  avx2: { lanes: 8, pair: 1 },
  avxvnni: { lanes: 8, pair: 1 },
  avx512: { lanes: 16, pair: 1 },
  avx512bf16: { lanes: 16, pair: 2 },
  amx: { lanes: 16, pair: 2 },
};

/** The libraries of `system/bus-error.c`. They depend on the operating system, not on the instruction set. */
export const busErrorLibraries = {
  'linux-x64': { file: 'bus-error-linux-x64.so', target: 'x86_64-linux-gnu.2.28' },
  'linux-arm64': { file: 'bus-error-linux-arm64.so', target: 'aarch64-linux-gnu.2.28' },
} as const;

/** This system, or undefined if there is no prebuilt library for it. */
export function platformHere(): Platform | undefined {
  const here = `${process.platform}-${process.arch}`;
  return here in platforms ? (here as Platform) : undefined;
}
