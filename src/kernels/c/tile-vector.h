/*
 * Products of a chunk and rows, in vector registers. Each row has its own accumulators and the same order in every tile, so its
 * result does not depend on other rows.
 */
#ifndef COGVLM2_TILE_VECTOR_H
#define COGVLM2_TILE_VECTOR_H

#include "tile-narrow.h"

#define MAX_ROWS 6
#define MAX_VECTORS (PANEL / LANES)

/* Returns acc plus four products in each lane: bytes of weights (unsigned for VNNI, signed for AVX2) times signed bytes of x. */
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

/* AMX: whole bytes are packed as signed numbers. */
#ifdef __AMX_INT8__
#define WEIGHTS_ARE_SIGNED 1
#else
#define WEIGHTS_ARE_SIGNED 0
#endif

/* Adds the products of `steps` steps from `first` on, `rows` rows and `vectors` vectors of columns to acc. */
INLINE void dot_steps(const int rows, const int vectors, const int is_signed, const uint8_t *w, const int8_t *x, int steps,
                      ints acc[MAX_ROWS][MAX_VECTORS]) {
  for (int s = 0; s < steps; s++) {
    ints weights[MAX_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) {
      weights[j] = ints_load(w + s * PANEL * 4 + j * LANES * 4);
      if (is_signed) weights[j] = ints_xor(weights[j], bytes_set(128));
    }
    UNROLL for (int i = 0; i < rows; i++) {
      ints four = four_of(x + i * GROUP + 4 * s);
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = dot4(acc[i][j], weights[j], four);
    }
  }
}

/* Multiplies whole bytes: `rows` rows from `first` on with `vectors` vectors of columns from `column` on. */
INLINE void tile_of_bytes(const int rows, const int vectors, const struct chunk *c, const struct rows *r, int first,
                          int column) {
  ints acc[MAX_ROWS][MAX_VECTORS];
  UNROLL for (int i = 0; i < rows; i++) {
    const int zero = WEIGHTS_ARE_SIGNED ? 128 : c->header->zero;
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = ints_set(-zero * r->x.group_sum[first + i]);
  }
  dot_steps(rows, vectors, WEIGHTS_ARE_SIGNED, c->stored + column * 4, r->x.values[first], c->steps, acc);
  UNROLL for (int j = 0; j < vectors; j++) {
    const struct columns s = columns_at(0, c, column + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) add_to_row(&s, r, first + i, column + j * LANES, floats_from_ints(acc[i][j]));
  }
}

/* Adds the totals of a tile of nibbles to y. */
INLINE void add_totals(const int has_min, const int rows, const int vectors, const struct chunk *c, const struct rows *r,
                       int first, int column, totals total[MAX_ROWS][MAX_VECTORS]) {
  UNROLL for (int j = 0; j < vectors; j++) {
    const struct columns s = columns_at(has_min, c, column + j * LANES);
    UNROLL for (int i = 0; i < rows; i++)
      add_to_row(&s, r, first + i, column + j * LANES, totals_as_floats(total[i][j]));
  }
}

/* The same for nibbles that were unpacked to `bytes`. */
INLINE void tile_of_blocks(const int rows, const int vectors, const uint8_t *bytes, const struct chunk *c,
                           const struct rows *r, int first, int column) {
  totals total[MAX_ROWS][MAX_VECTORS];
  for (int b = 0; b < c->steps / (BLOCK / 4); b++) {
    ints acc[MAX_ROWS][MAX_VECTORS];
    UNROLL for (int i = 0; i < rows; i++)
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = ints_set(-c->header->zero * r->x.block_sum[first + i][b]);
    const uint8_t *w = bytes + b * BLOCK * PANEL + column * 4;
    const int8_t *x = r->x.values[first] + b * BLOCK;
    dot_steps(rows, vectors, 0, w, x, BLOCK / 4, acc);
    UNROLL for (int j = 0; j < vectors; j++) {
      const totals scale = totals_load(c->block_scale[b] + column + j * LANES);
      UNROLL for (int i = 0; i < rows; i++)
        total[i][j] = b == 0 ? totals_of(acc[i][j], scale) : totals_add(total[i][j], acc[i][j], scale);
    }
  }
  if (c->min) add_totals(1, rows, vectors, c, r, first, column, total);
  else add_totals(0, rows, vectors, c, r, first, column, total);
}

/* Accumulators of a tile: 24 of 32 registers of 512 bits, or 12 of 16 registers of 256 bits. Blocks need twice as many. */
#define TILE_VECTORS (LANES == 16 ? 4 : 2)
#define BYTE_ROWS 6
#define NIBBLE_ROWS 3

INLINE void all_bytes(const struct chunk *c, const struct rows *r, int first) {
  int i = first;
  for (int column = 0; column < PANEL; column += TILE_VECTORS * LANES)
    for (i = first; i + BYTE_ROWS <= r->count; i += BYTE_ROWS) tile_of_bytes(BYTE_ROWS, TILE_VECTORS, c, r, i, column);
  for (; i < r->count; i++) tile_of_bytes(1, MAX_VECTORS, c, r, i, 0);
}

/*
 * Adds the products of a block of 64 columns and one row to acc, directly from packed nibbles. Memory is the limit for a single row,
 * and unpacked bytes would be written and read in addition.
 */
INLINE void dot_nibbles(const int narrow, const uint8_t *nibbles, __m128i table, const int8_t *x, ints acc[MAX_VECTORS]) {
  UNROLL for (int s = 0; s < BLOCK / 8; s++) {
    const ints first = four_of(x + 8 * s), second = four_of(x + 8 * s + 4);
    UNROLL for (int j = 0; j < MAX_VECTORS; j++) {
      const uint8_t *from = nibbles + s * PANEL * 4 + j * LANES * 4;
      ints low, high;
      if (j * LANES * 4 % 64 == 0) _mm_prefetch((const char *)from + BYTES_AHEAD, _MM_HINT_T0);
      nibbles_load(narrow, from, table, &low, &high);
      acc[j] = dot4(dot4(acc[j], low, first), high, second);
    }
  }
}

/* Multiplies one row with nibbles. */
INLINE void row_of_nibbles(const int narrow, const struct chunk *c, const struct rows *r, int row) {
  const __m128i table = _mm_loadu_si128((const __m128i *)c->header->table);
  const uint8_t *nibbles = c->stored;
  totals total[MAX_ROWS][MAX_VECTORS];
  for (int b = 0; b < c->steps / (BLOCK / 4); b++, nibbles += NIBBLE_BYTES) {
    const ints start = ints_set(-c->header->zero * r->x.block_sum[row][b]);
    ints acc[MAX_VECTORS];
    UNROLL for (int j = 0; j < MAX_VECTORS; j++) acc[j] = start;
    dot_nibbles(narrow, nibbles, table, r->x.values[row] + b * BLOCK, acc);
    UNROLL for (int j = 0; j < MAX_VECTORS; j++) {
      const totals scale = totals_load(c->block_scale[b] + j * LANES);
      total[0][j] = b == 0 ? totals_of(acc[j], scale) : totals_add(total[0][j], acc[j], scale);
    }
  }
  if (c->min) add_totals(1, 1, MAX_VECTORS, c, r, row, 0, total);
  else add_totals(0, 1, MAX_VECTORS, c, r, row, 0, total);
}

#ifndef __AMX_INT8__
/* Multiplies rows from `first` on, NIBBLE_ROWS at a time. @returns the first remaining row */
INLINE int many_rows(const int narrow, const struct chunk *c, const struct rows *r, int first) {
  _Alignas(64) uint8_t bytes[GROUP * PANEL]; /* stays in the L1 cache */
  unpack_nibbles(narrow, c->stored, _mm_loadu_si128((const __m128i *)c->header->table), c->steps, bytes);
  int i = first;
  for (int column = 0; column < PANEL; column += TILE_VECTORS * LANES)
    for (i = first; i + NIBBLE_ROWS <= r->count; i += NIBBLE_ROWS)
      tile_of_blocks(NIBBLE_ROWS, TILE_VECTORS, bytes, c, r, i, column);
  return i;
}
#endif

/* Up to this number of rows is multiplied row by row. */
#define FEW_ROWS 3

INLINE void all_nibbles(const int narrow, const struct chunk *c, const struct rows *r, int first) {
#ifndef __AMX_INT8__
  if (r->count - first > FEW_ROWS) first = many_rows(narrow, c, r, first);
#endif
  for (int i = first; i < r->count; i++) row_of_nibbles(narrow, c, r, i);
}

/* Multiplies the rows from `first` on. */
static void multiply_with_vectors(const struct chunk *c, const struct rows *r, int first) {
  if (c->header->kind == WHOLE_BYTES) all_bytes(c, r, first);
#if NARROW_SUMS
  else if (c->header->narrow) all_narrow(c, r);
#else
  else if (c->header->narrow) all_nibbles(1, c, r, first);
#endif
  else all_nibbles(0, c, r, first);
}

#endif
