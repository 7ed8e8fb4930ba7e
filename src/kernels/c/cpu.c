/* Detects the instruction sets that the processor has and that the operating system allows. */
#include <stdint.h>
#include "tensor.h"

#ifdef __linux__
/* arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA): Linux saves the large state of tiles only for processes that request it. */
static int may_use_tiles(void) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
  return result == 0;
}
#else
static int may_use_tiles(void) { return 0; }
#endif

struct registers {
  uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf, uint32_t subleaf) {
  struct registers r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
  return r;
}

/* The vector state that the operating system saves when it switches threads. */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/*
 * True if products of bf16 pairs (vdpbf16ps) are not faster than products of float32. This is the case on Intel processors: on a Xeon
 * of family 6, model 207, the tower's attention was a fifth slower with bf16. On Zen 4 and Zen 5, bf16 is twice as fast.
 */
EXPORT int cogvlm2_bf16_is_slow(void) { return cpuid(0, 0).b == 0x756e6547; /* "Genu", of GenuineIntel */ }

#define BIT(register, n) ((register) >> (n) & 1)

/* One bit for each variant, in the order of `variants` in variants.ts: avx2, avxvnni, avx512, avx512bf16, amx. */
EXPORT int cogvlm2_supported_variants(void) {
  if (cpuid(0, 0).a < 7) return 0;
  struct registers one = cpuid(1, 0), seven = cpuid(7, 0);
  struct registers more = seven.a >= 1 ? cpuid(7, 1) : (struct registers){0, 0, 0, 0};
  if (!BIT(one.c, 27)) return 0; /* OSXSAVE */
  uint64_t saved = saved_state();
  int ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6, tiles = (saved & 0x60000) == 0x60000;
  int fma = BIT(one.c, 12), f16c = BIT(one.c, 29);
  int avx2 = ymm && BIT(one.c, 28) && fma && f16c && BIT(seven.b, 3) && BIT(seven.b, 5) && BIT(seven.b, 8);
  int avxvnni = avx2 && BIT(more.a, 4);
  /* F, DQ, CD, BW, VL and VNNI */
  int avx512 = avx2 && zmm && BIT(seven.b, 16) && BIT(seven.b, 17) && BIT(seven.b, 28) && BIT(seven.b, 30) &&
               BIT(seven.b, 31) && BIT(seven.c, 11);
  int avx512bf16 = avx512 && BIT(more.a, 5);
  /* AMX-BF16, AMX-TILE and AMX-INT8 */
  int amx = avx512bf16 && tiles && BIT(seven.d, 22) && BIT(seven.d, 24) && BIT(seven.d, 25) && may_use_tiles();
  return avx2 | avxvnni << 1 | avx512 << 2 | avx512bf16 << 3 | amx << 4;
}
