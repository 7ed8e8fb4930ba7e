/* One group of k of one panel, ready to be multiplied: 64 columns by up to 256 elements. */
#ifndef COGVLM2_CHUNK_H
#define COGVLM2_CHUNK_H

#include "packed.h"

/* Without VNNI, products of values from 0 to 15 are added in 16 bits (tile-narrow.h). */
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define NARROW_SUMS 0
#else
#define NARROW_SUMS 1
#endif

/*
 * Sums of the products of a group times the scales of their blocks. AMX adds integers, so vector registers must add integers, too,
 * for equal results. Without AMX, floats are faster. A row always adds its blocks in the same order.
 */
#ifdef __AMX_INT8__
typedef ints totals;
INLINE totals totals_of(ints sum, totals scale) { return _mm512_mullo_epi32(sum, scale); }
INLINE totals totals_add(totals total, ints sum, totals scale) { return ints_add(total, totals_of(sum, scale)); }
INLINE totals totals_from_ints(ints x) { return x; }
INLINE floats totals_as_floats(totals x) { return floats_from_ints(x); }
INLINE totals totals_load(const void *p) { return ints_load(p); }
INLINE void totals_store(void *p, totals x) { ints_store(p, x); }
#else
typedef floats totals;
INLINE totals totals_of(ints sum, totals scale) { return floats_mul(floats_from_ints(sum), scale); }
INLINE totals totals_add(totals total, ints sum, totals scale) { return floats_fma(floats_from_ints(sum), scale, total); }
INLINE totals totals_from_ints(ints x) { return floats_from_ints(x); }
INLINE floats totals_as_floats(totals x) { return x; }
INLINE totals totals_load(const void *p) { return floats_load(p); }
INLINE void totals_store(void *p, totals x) { floats_store(p, x); }
#endif

struct chunk {
  const struct packed *header;
  const uint8_t *stored; /* whole bytes [steps][64][4], or the nibbles of each block */
  int steps;
  const float *scale, *min; /* [64] of the group; min is NULL if there are no minimums */
  /* Nibbles only: scales [blocks][64] as `totals` (narrow sums: twice, as shorts), and minimums as pairs of shorts [blocks / 2][64][2]. */
  const int32_t (*block_scale)[PANEL];
  const int16_t (*block_min)[PANEL][2];
};

/* One group of some rows of activations, and the sums of their products with a panel. */
struct rows {
  struct activations x;
  float (*y)[PANEL];
  int count;
  int first_group; /* true: the products replace y; false: they are added to y */
};

/* The unpacked scales of a group. */
struct scales {
  _Alignas(64) float scale[PANEL];
  _Alignas(64) float min[PANEL];
  _Alignas(64) int32_t block_scale[BLOCKS][PANEL];
  _Alignas(64) int16_t block_min[BLOCKS / 2][PANEL][2];
};

/*
 * Distance of the prefetch of weights. The prefetching of the hardware ends at a page of 4 kB. This prefetch makes products of a
 * single row a quarter faster. A prefetch after the end of the memory is harmless.
 */
#define BYTES_AHEAD 8192

/* Looks up the values of 2 * sizeof(ints) nibbles; `low` has the first value of each byte. */
INLINE void nibbles_load(const int narrow, const uint8_t *stored, __m128i table, ints *low, ints *high) {
  const ints x = ints_load(stored);
  *low = ints_and(x, bytes_set(15));
  *high = ints_and(shorts_shift_right(x, 4), bytes_set(15));
  if (narrow) return; /* the table is 0 to 15 */
  *low = bytes_table(table, *low);
  *high = bytes_table(table, *high);
}

/* Unpacks the nibbles of a chunk: [steps][64][4]. */
INLINE void unpack_nibbles(const int narrow, const uint8_t *stored, __m128i table, int steps, uint8_t *bytes) {
  for (int s = 0; s < steps / 2; s++)
    for (int v = 0; v < PANEL * 4; v += (int)sizeof(ints), stored += sizeof(ints)) {
      ints low, high;
      nibbles_load(narrow, stored, table, &low, &high);
      ints_store(bytes + 2 * s * PANEL * 4 + v, low);
      ints_store(bytes + (2 * s + 1) * PANEL * 4 + v, high);
    }
}

INLINE void unpack_halves(const uint8_t *halves, float unit, float *floats) {
  for (int c = 0; c < PANEL; c += LANES)
    floats_store(floats + c, floats_mul(floats_from_halves(halves + 2 * c), floats_set(unit)));
}

#if NARROW_SUMS
/*
 * Narrow sums: a lane has the scale of a block twice, as shorts. The offset `zero` of values becomes a minimum: `zero` times the
 * scale.
 */
INLINE void narrow_scales(const struct packed *header, const uint8_t *stored, int blocks, struct scales *to) {
  for (int c = 0; c < PANEL; c += LANES)
    for (int b = 0; b < blocks; b += 2) {
      const ints even = ints_from_bytes(stored + b * PANEL + c), odd = ints_from_bytes(stored + (b + 1) * PANEL + c);
      ints_store(to->block_scale[b] + c, pairs_of_shorts(even, even));
      ints_store(to->block_scale[b + 1] + c, pairs_of_shorts(odd, odd));
      if (header->kind == NIBBLES) ints_store(to->block_min[b / 2][c], pairs_of_shorts(even, odd));
    }
  for (int c = 0; header->kind == NIBBLES && c < PANEL; c += LANES)
    floats_store(to->min + c, floats_mul(floats_load(to->scale + c), floats_set((float)header->zero)));
}
#endif

/* Reads the group of `k` elements that begins at `packed`. */
INLINE struct chunk chunk_at(const struct packed *header, const uint8_t *packed, int k, struct scales *to) {
  struct chunk c = {.header = header, .stored = packed, .steps = k / 4};
  if (header->kind == WHOLE_BYTES) {
    c.scale = (const float *)(packed + k * PANEL);
    return c;
  }
  const int blocks = k / BLOCK, has_min = header->kind == NIBBLES_MIN;
  c.stored = packed + scale_bytes(header->kind, k);
  unpack_halves(packed, header->unit, to->scale);
  if (has_min) unpack_halves(packed + 2 * PANEL, 1, to->min);
  packed += (has_min ? 4 : 2) * PANEL;
#if NARROW_SUMS
  if (header->narrow) narrow_scales(header, packed, blocks, to);
  else
#endif
    for (int i = 0; i < blocks * PANEL; i += LANES)
      totals_store(to->block_scale[0] + i, totals_from_ints(ints_from_bytes(packed + i)));
  for (int i = 0; has_min && i < blocks * PANEL; i += 2 * LANES)
    ints_store(to->block_min[0][0] + i, shorts_from_bytes(packed + blocks * PANEL + i));
  c.scale = to->scale;
  c.min = has_min || (NARROW_SUMS && header->narrow) ? to->min : NULL;
  c.block_scale = (const int32_t (*)[PANEL])to->block_scale;
  c.block_min = (const int16_t (*)[PANEL][2])to->block_min;
  return c;
}

/* Returns acc plus the two products of each pair of shorts. */
INLINE ints dot2(ints acc, ints a, ints b) {
#ifdef __AVX512VNNI__
  return _mm512_dpwssd_epi32(acc, a, b);
#elif defined(__AVXVNNI__)
  return _mm256_dpwssd_avx_epi32(acc, a, b);
#else
  return ints_add(acc, _mm256_madd_epi16(a, b));
#endif
}

/* The scales of one vector of columns of a group. */
struct columns {
  floats scale, min;
  ints mins[BLOCKS / 2];
  int has_min;
};

INLINE struct columns columns_at(const int has_min, const struct chunk *c, int column) {
  struct columns s = {.scale = floats_load(c->scale + column), .has_min = has_min};
  if (!has_min) return s;
  s.min = floats_load(c->min + column);
  /* After the last block, the sums of activations are zero. */
  UNROLL for (int p = 0; p < BLOCKS / 2; p++) s.mins[p] = ints_load(c->block_min[p][column]);
  return s;
}

/* Sets y to, or adds to y, the products of a group with a vector of columns. `total` is relative to the group's scale. */
INLINE void add_to_row(const struct columns *s, const struct rows *r, int row, int column, floats total) {
  floats value = floats_mul(total, s->scale);
  if (s->has_min) {
    ints mins = ints_zero();
    UNROLL for (int p = 0; p < BLOCKS / 2; p++) mins = dot2(mins, s->mins[p], four_of(r->x.block_sum[row] + 2 * p));
    value = floats_minus_product(value, floats_from_ints(mins), s->min);
  }
  float *y = r->y[row] + column;
  floats scale = floats_set(r->x.scale[row]);
  floats_store(y, r->first_group ? floats_mul(value, scale) : floats_fma(value, scale, floats_load(y)));
}

#endif
