/*
 * Scores of attention as products of whole numbers, with AVX2: one instruction multiplies two pairs of shorts where a float instruction
 * multiplies one pair of floats. A query and a key become numbers of up to 13 bits with one scale each, so that a sum of d products fits
 * into 32 bits. This keeps about as much as f16, in which the keys are stored. A sum is exact, so its order does not matter.
 */
#ifndef COGVLM2_WHOLE_KEYS_H
#define COGVLM2_WHOLE_KEYS_H

#include <math.h>
#include "float-product.h"

/* Measured with AVX2 only. The variants with VNNI keep floats until they were run with it. */
#if PAIR == 1 && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
#define WHOLE_KEYS 1
#else
#define WHOLE_KEYS 0
#endif

#if WHOLE_KEYS

/* The largest number: d times its square is at most 2^31 - 1. */
INLINE float largest_whole(int64_t d) { return floorf(sqrtf(2147483647.f / (float)(d + 1))); }

/* A smaller maximum becomes zeros, because its inverse would be infinite. */
#define SMALLEST_WHOLE 1e-30f

/*
 * Rounds d floats of a query to d / 2 words of two shorts. Returns the scale: x = shorts * scale. It is NaN if x has a NaN or an
 * infinity.
 */
static float whole_query(const float *x, int64_t d, uint32_t *words) {
  union { int bits; float value; } most = {.bits = largest_bits(x, d)};
  const float limit = largest_whole(d), inverse = most.value > SMALLEST_WHOLE ? limit / most.value : 0;
  for (int64_t i = 0; i < d; i += 2 * LANES) {
    const ints low = ints_from_floats(floats_mul(floats_load(x + i), floats_set(inverse)));
    const ints high = ints_from_floats(floats_mul(floats_load(x + i + LANES), floats_set(inverse)));
    /* vpackssdw works on halves of 128 bits, so their order is restored. */
    ints_store(words + i / 2, _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
  }
  return most.bits < INFINITY_BITS ? most.value / limit : __builtin_nanf("");
}

/*
 * Rounds LANES keys, f16 [d][LANES], to words [d / 2][LANES] of two shorts, and stores their scales. The scale of a key with a NaN or an
 * infinity is NaN. Returns true if there is such a key.
 */
INLINE int whole_keys(const uint16_t *keys, int64_t d, uint32_t *words, float *scales) {
  ints largest = ints_zero();
  for (int64_t i = 0; i < d; i++)
    largest = ints_max(largest, magnitude_bits(floats_from_halves(keys + i * LANES)));
  const floats most = _mm256_castsi256_ps(largest), limit = floats_set(largest_whole(d));
  const floats bad = _mm256_castsi256_ps(_mm256_cmpgt_epi32(largest, ints_set(INFINITY_BITS - 1)));
  const floats enough = _mm256_cmp_ps(most, floats_set(SMALLEST_WHOLE), _CMP_GT_OQ);
  const floats inverse = _mm256_andnot_ps(bad, _mm256_and_ps(enough, floats_div(limit, most)));
  floats_store(scales, _mm256_or_ps(floats_div(most, limit), bad)); /* all bits set: NaN */
  for (int64_t i = 0; i < d; i += 2) {
    const ints even = ints_from_floats(floats_mul(floats_from_halves(keys + i * LANES), inverse));
    const ints odd = ints_from_floats(floats_mul(floats_from_halves(keys + (i + 1) * LANES), inverse));
    ints_store(words + i / 2 * LANES, pairs_of_shorts(even, odd));
  }
  return _mm256_movemask_ps(bad) != 0;
}

/* scores [rows][vectors * LANES] = products of queries and keys times their scales. The strides of rows are in elements. */
INLINE void whole_product(const int rows, const int vectors, const uint32_t *queries, size_t query_row,
                          const float *query_scales, const uint32_t *keys, const float *key_scales, size_t steps,
                          float *scores, size_t score_row) {
  ints sum[GROUP][VECTORS];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = ints_zero();
  for (size_t i = 0; i < steps; i++) {
    ints column[VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) column[j] = ints_load(keys + (j * steps + i) * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const ints pair = four_of(queries + r * query_row + i);
      UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = ints_add(sum[r][j], _mm256_madd_epi16(column[j], pair));
    }
  }
  UNROLL for (int j = 0; j < vectors; j++) {
    const floats scale = floats_load(key_scales + j * LANES);
    UNROLL for (int r = 0; r < rows; r++)
      floats_store(scores + r * score_row + j * LANES,
                   floats_mul(floats_mul(floats_from_ints(sum[r][j]), scale), floats_set(query_scales[r])));
  }
}

static __attribute__((noinline)) void whole_scores(int rows, int vectors, const uint32_t *queries, size_t query_row,
                                                   const float *query_scales, const uint32_t *keys,
                                                   const float *key_scales, size_t steps, float *scores, size_t score_row) {
#define SCORES(r, j) \
  case r * 8 + j: whole_product(r, j, queries, query_row, query_scales, keys, key_scales, steps, scores, score_row); break;
  switch (rows * 8 + vectors) {
    SCORES(1, 1) SCORES(2, 1) SCORES(3, 1) SCORES(4, 1) SCORES(5, 1) SCORES(6, 1)
    SCORES(1, 2) SCORES(2, 2) SCORES(3, 2) SCORES(4, 2) SCORES(5, 2) SCORES(6, 2)
  }
}

/* The score of a key with a NaN or an infinity: key `lane` of f16 [d][LANES], with floats. */
static float float_score(const float *query, const uint16_t *keys, int lane, int64_t d) {
  float score = 0;
  for (int64_t i = 0; i < d; i++) {
    float key[LANES];
    floats_store(key, floats_from_halves(keys + i * LANES));
    score = score + query[i] * key[lane];
  }
  return score;
}

#endif
#endif
