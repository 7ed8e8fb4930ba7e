/*
 * Products of a chunk with rows, in vector registers. Each row accumulates by itself and in the same order in every
 * tile, so its result does not depend on the rows beside it.
 */
#ifndef COGVLM2_TILE_VECTOR_H
#define COGVLM2_TILE_VECTOR_H

#include "chunk.h"

#define MAX_ROWS 6
#define MAX_VECTORS (PANEL / LANES)

/* acc + four products of each lane: bytes of weights (unsigned for VNNI, signed for AVX2), signed bytes of x. */
INLINE ints dot4(ints acc, ints weights, ints x) {
#ifdef __AVX512VNNI__
  return _mm512_dpbusd_epi32(acc, weights, x);
#elif defined(__AVXVNNI__)
  return _mm256_dpbusd_avx_epi32(acc, weights, x);
#else
  __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights));
  return ints_add(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

/* Whole bytes are packed signed for AMX. */
#ifdef __AMX_INT8__
#define IS_SIGNED(kind) ((kind) == WHOLE_BYTES)
#else
#define IS_SIGNED(kind) ((void)(kind), 0)
#endif

INLINE ints load_weights(const int kind, const uint8_t *w) {
  ints weights = ints_load(w);
  return IS_SIGNED(kind) ? ints_xor(weights, bytes_set(128)) : weights;
}

INLINE ints four_of(const int8_t *x) {
  int four;
  __builtin_memcpy(&four, x, 4);
  return ints_set(four);
}

/* `steps` steps from `first` on, of `rows` rows and `vectors` vectors of columns, added to acc. */
INLINE void dot_steps(const int rows, const int vectors, const int kind, const uint8_t *w, const int8_t *x, int steps,
                      ints acc[MAX_ROWS][MAX_VECTORS]) {
  for (int s = 0; s < steps; s++) {
    ints weights[MAX_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) weights[j] = load_weights(kind, w + s * PANEL * 4 + j * LANES * 4);
    UNROLL for (int i = 0; i < rows; i++) {
      ints four = four_of(x + i * GROUP + 4 * s);
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = dot4(acc[i][j], weights[j], four);
    }
  }
}

#if !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
/* The same for a block of weights from 0 to 15: eight sums of two products, 15 * 127 * 16, fit 16 bits. */
INLINE void dot_narrow_block(const int rows, const int vectors, const uint8_t *w, const int8_t *x,
                             ints acc[MAX_ROWS][MAX_VECTORS]) {
  ints shorts[MAX_ROWS][MAX_VECTORS];
  UNROLL for (int s = 0; s < BLOCK / 4; s++) {
    UNROLL for (int i = 0; i < rows; i++) {
      ints four = four_of(x + i * GROUP + 4 * s);
      UNROLL for (int j = 0; j < vectors; j++) {
        ints pairs = _mm256_maddubs_epi16(ints_load(w + s * PANEL * 4 + j * LANES * 4), four);
        shorts[i][j] = s == 0 ? pairs : _mm256_add_epi16(shorts[i][j], pairs);
      }
    }
  }
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
    acc[i][j] = ints_add(acc[i][j], _mm256_madd_epi16(shorts[i][j], _mm256_set1_epi16(1)));
}
#endif

/* y (+)= products of `rows` rows from `first` on with `vectors` vectors of columns from `column` on. */
INLINE void tile(const int rows, const int vectors, const int kind, const int narrow, const struct chunk *c,
                 const struct rows *r, int first, int column) {
  const int blocked = kind != WHOLE_BYTES;
  const int8_t *x = r->x.values[first];
  const uint8_t *w = c->bytes + column * 4;
  const int zero = kind == NIBBLES_MIN ? 0 : IS_SIGNED(kind) ? 128 : c->header->zero;
  floats total[MAX_ROWS][MAX_VECTORS];
  const int blocks = blocked ? c->steps / (BLOCK / 4) : 1;
  for (int b = 0; b < blocks; b++) {
    ints acc[MAX_ROWS][MAX_VECTORS];
    UNROLL for (int i = 0; i < rows; i++) {
      int sum = blocked ? r->x.block_sum[first + i][b] : r->x.group_sum[first + i];
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = ints_set(-zero * sum);
    }
    const uint8_t *bw = w + b * BLOCK * PANEL;
    const int8_t *bx = x + b * BLOCK;
#if !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
    if (narrow) dot_narrow_block(rows, vectors, bw, bx, acc);
    else
#endif
      dot_steps(rows, vectors, kind, bw, bx, blocked ? BLOCK / 4 : c->steps, acc);
    (void)narrow;
    UNROLL for (int j = 0; j < vectors; j++) {
      floats scale = floats_load(c->scale[b] + column + j * LANES);
      UNROLL for (int i = 0; i < rows; i++) {
        floats products = floats_from_ints(acc[i][j]);
        total[i][j] = b == 0 ? floats_mul(products, scale) : floats_fma(products, scale, total[i][j]);
      }
    }
  }
  /* The minimums have a loop of their own, because the loop above needs all registers. */
  for (int b = 0; kind == NIBBLES_MIN && b < blocks; b++) {
    UNROLL for (int j = 0; j < vectors; j++) {
      floats min = floats_load(c->min[b] + column + j * LANES);
      UNROLL for (int i = 0; i < rows; i++)
        total[i][j] = floats_minus_product(total[i][j], floats_from_ints(ints_set(r->x.block_sum[first + i][b])), min);
    }
  }
  UNROLL for (int i = 0; i < rows; i++) {
    floats scale = floats_set(r->x.scale[first + i]);
    float *y = r->y[first + i] + column;
    UNROLL for (int j = 0; j < vectors; j++) {
      floats value = r->first_group ? floats_mul(total[i][j], scale)
                                    : floats_fma(total[i][j], scale, floats_load(y + j * LANES));
      floats_store(y + j * LANES, value);
    }
  }
}

/* Accumulators of a tile: 24 of 32 registers of 512 bits, 12 of 16 of 256; blocks need as many again for their sums. */
#define TILE_VECTORS (LANES == 16 ? 4 : 2)
#define TILE_ROWS(kind) ((kind) == WHOLE_BYTES ? 6 : 3)

INLINE void all_rows(const int kind, const int narrow, const struct chunk *c, const struct rows *r, int first) {
  int i = first;
  for (int column = 0; column < PANEL; column += TILE_VECTORS * LANES)
    for (i = first; i + TILE_ROWS(kind) <= r->count; i += TILE_ROWS(kind))
      tile(TILE_ROWS(kind), TILE_VECTORS, kind, narrow, c, r, i, column);
  for (; i < r->count; i++) tile(1, MAX_VECTORS, kind, narrow, c, r, i, 0);
}

/* The rows from `first` on. */
static void multiply_with_vectors(const struct chunk *c, const struct rows *r, int first) {
  if (c->header->kind == WHOLE_BYTES) all_rows(WHOLE_BYTES, 0, c, r, first);
  else if (c->header->kind == NIBBLES_MIN) all_rows(NIBBLES_MIN, 1, c, r, first);
  else if (c->header->narrow) all_rows(NIBBLES, 1, c, r, first);
  else all_rows(NIBBLES, 0, c, r, first);
}

#endif
