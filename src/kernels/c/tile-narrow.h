/*
 * Products of 4-bit values from 0 to 15, without VNNI. A sum of 16 products is at most 15 * 127 * 16, which fits into 16 bits. So the
 * products of a block of 32 are added as shorts, and one instruction multiplies them by the scale of the block. Whole numbers are exact
 * in any order, so a row has the same result alone and in a tile.
 */
#ifndef COGVLM2_TILE_NARROW_H
#define COGVLM2_TILE_NARROW_H

#include "chunk.h"

#if NARROW_SUMS

/* 8 accumulators of 16 registers. 256 rows are whole tiles. Tiles of 3 rows are as fast, those of 6 are slower. */
#define NARROW_ROWS 4
#define NARROW_VECTORS 2
#define PANEL_VECTORS (PANEL / LANES)

/* The compiler moves no load across it. Without it, the compiler moves so many loads up that the accumulators do not stay in registers. */
#define LOADS_IN_ORDER __asm__ volatile("" ::: "memory")

INLINE ints shorts_add(ints a, ints b) { return _mm256_add_epi16(a, b); }

/* The products of pairs of bytes: values from 0 to 15 and signed x. */
INLINE ints pairs_of(ints values, ints x) { return _mm256_maddubs_epi16(values, x); }

/* Adds the products of block `b` with vector `v` of columns to a total. */
INLINE ints add_block(ints total, ints shorts, const struct chunk *c, int b, int v) {
  return dot2(total, shorts, ints_load(c->block_scale[b] + v * LANES));
}

INLINE void add_narrow_total(ints total, const struct columns *s, const struct rows *r, int row, int v) {
  add_to_row(s, r, row, v * LANES, floats_from_ints(total));
}

/* Multiplies NARROW_ROWS rows from `first` on with values that were unpacked to `bytes`, for vectors of columns from `vector` on. */
INLINE void tile_of_narrow(const uint8_t *bytes, const struct chunk *c, const struct rows *r, int first, int vector) {
  ints total[NARROW_ROWS][NARROW_VECTORS];
  UNROLL for (int i = 0; i < NARROW_ROWS; i++) UNROLL for (int j = 0; j < NARROW_VECTORS; j++) total[i][j] = ints_zero();
  for (int b = 0; b < c->steps / (BLOCK / 4); b++) {
    const uint8_t *w = bytes + b * BLOCK * PANEL + vector * LANES * 4;
    const int8_t *x = r->x.values[first] + b * BLOCK;
    ints shorts[NARROW_ROWS][NARROW_VECTORS];
    UNROLL for (int s = 0; s < BLOCK / 4; s++) {
      ints values[NARROW_VECTORS];
      UNROLL for (int j = 0; j < NARROW_VECTORS; j++) values[j] = ints_load(w + s * PANEL * 4 + j * LANES * 4);
      UNROLL for (int i = 0; i < NARROW_ROWS; i++) {
        const ints four = four_of(x + i * GROUP + 4 * s);
        UNROLL for (int j = 0; j < NARROW_VECTORS; j++) {
          const ints pairs = pairs_of(values[j], four);
          shorts[i][j] = s == 0 ? pairs : shorts_add(shorts[i][j], pairs);
        }
      }
      LOADS_IN_ORDER;
    }
    UNROLL for (int i = 0; i < NARROW_ROWS; i++)
      UNROLL for (int j = 0; j < NARROW_VECTORS; j++) total[i][j] = add_block(total[i][j], shorts[i][j], c, b, vector + j);
  }
  UNROLL for (int j = 0; j < NARROW_VECTORS; j++) {
    const struct columns s = columns_at(1, c, (vector + j) * LANES);
    UNROLL for (int i = 0; i < NARROW_ROWS; i++) add_narrow_total(total[i][j], &s, r, first + i, vector + j);
  }
}

/* Multiplies one row with nibbles as they are stored. */
INLINE void row_of_narrow(const struct chunk *c, const struct rows *r, int row) {
  ints total[PANEL_VECTORS];
  UNROLL for (int j = 0; j < PANEL_VECTORS; j++) total[j] = ints_zero();
  const uint8_t *stored = c->stored;
  for (int b = 0; b < c->steps / (BLOCK / 4); b++) {
    ints shorts[PANEL_VECTORS];
    UNROLL for (int s = 0; s < BLOCK / 8; s++) {
      const int8_t *x = r->x.values[row] + b * BLOCK + 8 * s;
      const ints first = four_of(x), second = four_of(x + 4);
      UNROLL for (int j = 0; j < PANEL_VECTORS; j++, stored += sizeof(ints)) {
        ints low, high;
        if (j % 2 == 0) _mm_prefetch((const char *)stored + BYTES_AHEAD, _MM_HINT_T0);
        nibbles_load(1, stored, _mm_setzero_si128(), &low, &high);
        const ints pairs = shorts_add(pairs_of(low, first), pairs_of(high, second));
        shorts[j] = s == 0 ? pairs : shorts_add(shorts[j], pairs);
      }
    }
    UNROLL for (int j = 0; j < PANEL_VECTORS; j++) total[j] = add_block(total[j], shorts[j], c, b, j);
  }
  UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
    const struct columns s = columns_at(1, c, j * LANES);
    add_narrow_total(total[j], &s, r, row, j);
  }
}

/* Multiplies all rows. */
INLINE void all_narrow(const struct chunk *c, const struct rows *r) {
  int i = 0;
  if (r->count >= NARROW_ROWS) {
    _Alignas(64) uint8_t bytes[GROUP * PANEL]; /* stays in the L1 cache */
    unpack_nibbles(1, c->stored, _mm_setzero_si128(), c->steps, bytes);
    for (; i + NARROW_ROWS <= r->count; i += NARROW_ROWS)
      for (int vector = 0; vector < PANEL_VECTORS; vector += NARROW_VECTORS)
        tile_of_narrow(bytes, c, r, i, vector);
  }
  for (; i < r->count; i++) row_of_narrow(c, r, i);
}

#endif
#endif
