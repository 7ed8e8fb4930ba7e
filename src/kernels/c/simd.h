/* Vectors of the instruction set that a file is compiled for: 512 bits with AVX-512, else 256. */
#ifndef COGVLM2_SIMD_H
#define COGVLM2_SIMD_H

#include <immintrin.h>
#include "tensor.h"

#ifdef __AVX512F__

#define LANES 16 /* 32-bit elements in a vector */
typedef __m512i ints;
typedef __m512 floats;

INLINE ints ints_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void ints_store(void *p, ints x) { _mm512_storeu_si512(p, x); }
INLINE ints ints_set(int x) { return _mm512_set1_epi32(x); }
INLINE ints ints_zero(void) { return _mm512_setzero_si512(); }
INLINE ints ints_add(ints a, ints b) { return _mm512_add_epi32(a, b); }
INLINE ints ints_max(ints a, ints b) { return _mm512_max_epi32(a, b); }
INLINE ints ints_and(ints a, ints b) { return _mm512_and_si512(a, b); }
INLINE ints ints_xor(ints a, ints b) { return _mm512_xor_si512(a, b); }
INLINE ints bytes_set(int x) { return _mm512_set1_epi8((char)x); }
INLINE ints shorts_shift_right(ints a, int bits) { return _mm512_srli_epi16(a, bits); }
/* Looks up each byte (0 to 15) in a table of 16 bytes. */
INLINE ints bytes_table(__m128i table, ints index) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index);
}
INLINE int ints_sum(ints x) { return _mm512_reduce_add_epi32(x); }
INLINE int ints_largest(ints x) { return _mm512_reduce_max_epi32(x); }
INLINE floats floats_load(const void *p) { return _mm512_loadu_ps(p); }
INLINE void floats_store(void *p, floats x) { _mm512_storeu_ps(p, x); }
INLINE floats floats_set(float x) { return _mm512_set1_ps(x); }
INLINE floats floats_zero(void) { return _mm512_setzero_ps(); }
INLINE floats floats_add(floats a, floats b) { return _mm512_add_ps(a, b); }
INLINE floats floats_mul(floats a, floats b) { return _mm512_mul_ps(a, b); }
/* a * b + c, rounded once */
INLINE floats floats_fma(floats a, floats b, floats c) { return _mm512_fmadd_ps(a, b, c); }
/* a - b * c, rounded once */
INLINE floats floats_minus_product(floats a, floats b, floats c) { return _mm512_fnmadd_ps(b, c, a); }
INLINE floats floats_from_ints(ints x) { return _mm512_cvtepi32_ps(x); }
INLINE ints ints_from_floats(floats x) { return _mm512_cvtps_epi32(x); }
INLINE floats floats_from_halves(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE ints floats_as_ints(floats x) { return _mm512_castps_si512(x); }
/* Widen LANES signed bytes to 32 bits, and 2 * LANES unsigned bytes to 16 bits. */
INLINE ints ints_from_bytes(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(p)); }
INLINE ints shorts_from_bytes(const void *p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256(p)); }
/* Stores the low byte of each element: LANES bytes. */
INLINE void ints_store_as_bytes(void *p, ints x) { _mm_storeu_si128(p, _mm512_cvtepi32_epi8(x)); }

#else

#define LANES 8
typedef __m256i ints;
typedef __m256 floats;

INLINE ints ints_load(const void *p) { return _mm256_loadu_si256(p); }
INLINE void ints_store(void *p, ints x) { _mm256_storeu_si256(p, x); }
INLINE ints ints_set(int x) { return _mm256_set1_epi32(x); }
INLINE ints ints_zero(void) { return _mm256_setzero_si256(); }
INLINE ints ints_add(ints a, ints b) { return _mm256_add_epi32(a, b); }
INLINE ints ints_max(ints a, ints b) { return _mm256_max_epi32(a, b); }
INLINE ints ints_and(ints a, ints b) { return _mm256_and_si256(a, b); }
INLINE ints ints_xor(ints a, ints b) { return _mm256_xor_si256(a, b); }
INLINE ints bytes_set(int x) { return _mm256_set1_epi8((char)x); }
INLINE ints shorts_shift_right(ints a, int bits) { return _mm256_srli_epi16(a, bits); }
INLINE ints bytes_table(__m128i table, ints index) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}
INLINE int ints_sum(ints x) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
INLINE int ints_largest(ints x) {
  __m128i s = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
INLINE floats floats_load(const void *p) { return _mm256_loadu_ps(p); }
INLINE void floats_store(void *p, floats x) { _mm256_storeu_ps(p, x); }
INLINE floats floats_set(float x) { return _mm256_set1_ps(x); }
INLINE floats floats_zero(void) { return _mm256_setzero_ps(); }
INLINE floats floats_add(floats a, floats b) { return _mm256_add_ps(a, b); }
INLINE floats floats_mul(floats a, floats b) { return _mm256_mul_ps(a, b); }
INLINE floats floats_fma(floats a, floats b, floats c) { return _mm256_fmadd_ps(a, b, c); }
INLINE floats floats_minus_product(floats a, floats b, floats c) { return _mm256_fnmadd_ps(b, c, a); }
INLINE floats floats_from_ints(ints x) { return _mm256_cvtepi32_ps(x); }
INLINE ints ints_from_floats(floats x) { return _mm256_cvtps_epi32(x); }
INLINE floats floats_from_halves(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE ints floats_as_ints(floats x) { return _mm256_castps_si256(x); }
INLINE ints ints_from_bytes(const void *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64(p)); }
INLINE ints shorts_from_bytes(const void *p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128(p)); }
/* Words of two shorts: the low halves of `first`, then those of `second`. */
INLINE ints pairs_of_shorts(ints first, ints second) { return _mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa); }
INLINE void ints_store_as_bytes(void *p, ints x) {
  __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(p, _mm_packs_epi16(words, words));
}

#endif

/* Positive floats can be compared as integers: their bits without the sign. A NaN is larger than infinity. */
#define INFINITY_BITS 0x7f800000
INLINE ints magnitude_bits(floats x) { return ints_and(floats_as_ints(x), ints_set(0x7fffffff)); }

/* The bits of the largest magnitude of `count` floats, a multiple of LANES. */
INLINE int largest_bits(const float *x, int64_t count) {
  ints largest = ints_zero();
  for (int64_t i = 0; i < count; i += LANES) largest = ints_max(largest, magnitude_bits(floats_load(x + i)));
  return ints_largest(largest);
}

/* Copies the four bytes at p to every lane. */
INLINE ints four_of(const void *p) {
  int four;
  __builtin_memcpy(&four, p, 4);
  return ints_set(four);
}

#endif
