/* A part of a panel of 64 columns of 16-bit weights, as words for a product: [steps][64]. */
#ifndef COGVLM2_FLOAT_PANEL_H
#define COGVLM2_FLOAT_PANEL_H

#include "float-words.h"

#define PANEL 64
#define BF16 30 /* ggml's number of the type; the other type is f16 */

/* The even and the odd elements of pairs. */
INLINE void floats_of_pairs(const int is_bf16, ints pairs, floats *even, floats *odd) {
#ifdef __AVX512F__
  const ints high = _mm512_set1_epi32((int)0xffff0000);
  if (is_bf16) {
    *even = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
    *odd = _mm512_castsi512_ps(_mm512_and_si512(pairs, high));
  } else {
    *even = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs));
    *odd = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
  }
#else
  const ints high = _mm256_set1_epi32((int)0xffff0000);
  if (is_bf16) {
    *even = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    *odd = _mm256_castsi256_ps(_mm256_and_si256(pairs, high));
  } else {
    ints halves = _mm256_packus_epi32(_mm256_andnot_si256(high, pairs), _mm256_srli_epi32(pairs, 16));
    halves = _mm256_permute4x64_epi64(halves, 0xd8);
    *even = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
    *odd = _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1));
  }
#endif
}

/* Stores pair `pair` of LANES columns. */
INLINE void store_pairs(const int is_bf16, ints pairs, int64_t pair, uint32_t *words) {
  if (PAIR == 2 && is_bf16) {
    ints_store(words + pair * PANEL, pairs);
    return;
  }
  floats even, odd;
  floats_of_pairs(is_bf16, pairs, &even, &odd);
#if PAIR == 2
  const ints low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even));
  const ints high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd));
  ints_store(words + pair * PANEL, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
#else
  floats_store(words + 2 * pair * PANEL, even);
  floats_store(words + (2 * pair + 1) * PANEL, odd);
#endif
}

/* Loads four pairs of every fourth column. Each quarter (128 bits) of the vector has the pairs of one column. */
INLINE ints quarters_load(const char *const *columns, int64_t offset) {
#define QUARTER(i) _mm_loadu_si128((const __m128i *)(columns[4 * (i)] + offset))
  const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(QUARTER(0)), QUARTER(1), 1);
#ifdef __AVX512F__
  const __m512i three = _mm512_inserti32x4(_mm512_castsi256_si512(low), QUARTER(2), 2);
  return _mm512_inserti32x4(three, QUARTER(3), 3);
#else
  return low;
#endif
}

/* Transposes four vectors: y[j] has pair j of all columns, in the order of the columns. */
INLINE void transpose_quarters(const ints x[4], ints y[4]) {
#ifdef __AVX512F__
  const ints a = _mm512_unpacklo_epi32(x[0], x[1]), b = _mm512_unpackhi_epi32(x[0], x[1]);
  const ints c = _mm512_unpacklo_epi32(x[2], x[3]), d = _mm512_unpackhi_epi32(x[2], x[3]);
  y[0] = _mm512_unpacklo_epi64(a, c), y[1] = _mm512_unpackhi_epi64(a, c);
  y[2] = _mm512_unpacklo_epi64(b, d), y[3] = _mm512_unpackhi_epi64(b, d);
#else
  const ints a = _mm256_unpacklo_epi32(x[0], x[1]), b = _mm256_unpackhi_epi32(x[0], x[1]);
  const ints c = _mm256_unpacklo_epi32(x[2], x[3]), d = _mm256_unpackhi_epi32(x[2], x[3]);
  y[0] = _mm256_unpacklo_epi64(a, c), y[1] = _mm256_unpackhi_epi64(a, c);
  y[2] = _mm256_unpacklo_epi64(b, d), y[3] = _mm256_unpackhi_epi64(b, d);
#endif
}

/* Transposes `count` elements (a multiple of 32) from `at` on of 64 columns from `column` on. The last column is repeated. */
INLINE void unpack_as(const int is_bf16, const struct tensor *weights, int64_t column, int64_t at, int64_t count,
                      uint32_t *words) {
  const int64_t last = weights->ne[1] - 1;
  for (int c = 0; c < PANEL; c += LANES) {
    const char *stored[LANES];
    for (int l = 0; l < LANES; l++)
      stored[l] = (const char *)weights->data + least(column + c + l, last) * weights->nb[1] + at * 2;
    for (int64_t pair = 0; pair < count / 2; pair += 4) {
      /* Prefetches the next part of the columns, because the hardware cannot prefetch 64 rows. A prefetch of any address is harmless. */
      if (pair % 16 == 0)
        for (int l = 0; l < LANES; l++) _mm_prefetch(stored[l] + pair * 4 + PART * 2, _MM_HINT_T0);
      ints x[4], y[4];
      UNROLL for (int r = 0; r < 4; r++) x[r] = quarters_load(stored + r, pair * 4);
      transpose_quarters(x, y);
      UNROLL for (int j = 0; j < 4; j++) store_pairs(is_bf16, y[j], pair + j, words + c);
    }
  }
}

static __attribute__((noinline)) void unpack(const struct tensor *weights, int64_t column, int64_t at, int64_t count,
                                             uint32_t *words) {
  if (weights->type == BF16) unpack_as(1, weights, column, at, count, words);
  else unpack_as(0, weights, column, at, count, words);
}

#endif
