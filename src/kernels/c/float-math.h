/* Math functions for vectors of floats, and the element type of products of 16-bit numbers. */
#ifndef COGVLM2_FLOAT_MATH_H
#define COGVLM2_FLOAT_MATH_H

#include <string.h>
#include "simd.h"

/* The compiler must not contract a * b + c to one operation, because inlined copies could then round differently. */
#pragma STDC FP_CONTRACT OFF

#ifdef __AVX512F__

INLINE floats floats_sub(floats a, floats b) { return _mm512_sub_ps(a, b); }
INLINE floats floats_div(floats a, floats b) { return _mm512_div_ps(a, b); }
/* The larger one; b if one of them is NaN. */
INLINE floats floats_max(floats a, floats b) { return _mm512_max_ps(a, b); }
INLINE float floats_largest(floats x) { return _mm512_reduce_max_ps(x); }
INLINE float floats_sum(floats x) { return _mm512_reduce_add_ps(x); }
INLINE floats floats_round(floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* x * 2^n for integers n from -200 to 0. */
INLINE floats floats_scale(floats x, floats n) { return _mm512_scalef_ps(x, n); }
/* The first `count` lanes of x, then lanes of `other`. */
INLINE floats floats_first(floats x, int64_t count, floats other) {
  return _mm512_mask_blend_ps(count >= LANES ? 0xffff : (__mmask16)((1u << count) - 1), other, x);
}
INLINE void halves_store(uint16_t *p, floats x) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#else

INLINE floats floats_sub(floats a, floats b) { return _mm256_sub_ps(a, b); }
INLINE floats floats_div(floats a, floats b) { return _mm256_div_ps(a, b); }
INLINE floats floats_max(floats a, floats b) { return _mm256_max_ps(a, b); }
INLINE float floats_largest(floats x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
INLINE float floats_sum(floats x) {
  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
INLINE floats floats_round(floats x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE floats floats_scale(floats x, floats n) {
  ints exponent = ints_max(ints_add(ints_from_floats(n), ints_set(127)), ints_zero());
  return floats_mul(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
INLINE floats floats_first(floats x, int64_t count, floats other) {
  const ints lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  ints limit = ints_set(count >= LANES ? LANES : (int)count);
  return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, lane)));
}
INLINE void halves_store(uint16_t *p, floats x) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#endif

/* 2^x for x <= 0, with an error below 2e-7; 0 if 2^x is too small for a float; NaN for NaN. */
INLINE floats floats_exp2(floats x) {
  x = floats_max(floats_set(-200.f), x);
  floats n = floats_round(x), f = floats_sub(x, n), p = floats_set(1.3534167e-3f);
  p = floats_fma(p, f, floats_set(9.6184373e-3f));
  p = floats_fma(p, f, floats_set(5.5503288e-2f));
  p = floats_fma(p, f, floats_set(2.4022652e-1f));
  p = floats_fma(p, f, floats_set(6.9314718e-1f));
  p = floats_fma(p, f, floats_set(1.f));
  return floats_scale(p, n);
}

/*
 * Products read words of 32 bits. With bf16 products, a word has two neighbouring bf16 values (PAIR 2). Without, it is one float
 * (PAIR 1). Keys and values of attention are stored with 16 bits: bf16, or f16 that is widened before use.
 */
#ifdef __AVX512BF16__

#define PAIR 2
/* Stores LANES values with 16 bits. */
INLINE void narrow_store(uint16_t *p, floats x) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x)); }
/* Stores PAIR * LANES values as LANES words. */
INLINE void words_store(uint32_t *p, const floats *x) {
  _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(x[1], x[0]));
}

#else

#define PAIR 1
INLINE void narrow_store(uint16_t *p, floats x) { halves_store(p, x); }
INLINE void words_store(uint32_t *p, const floats *x) { floats_store(p, x[0]); }

#endif
#endif
