/*
 * Products with AMX: tiles of 16 rows by 16 columns by 64 bytes. Sums of integers are exact. add_to_row scales them in the same way as
 * the sums of vector registers, which are used for few rows. So the result of a row does not depend on other rows.
 */
#ifndef COGVLM2_TILE_AMX_H
#define COGVLM2_TILE_AMX_H

#include "tile-vector.h"

#define TILE 16 /* rows, columns, and steps of four bytes */
#define PAIR_ROWS (2 * TILE)

typedef int32_t sums[PAIR_ROWS][TILE];

/* Tiles 0 to 3 are sums, 4 and 5 are activations, 6 and 7 are weights. Tiles 0, 1 and 4 have the first 16 rows; 2, 3 and 5 the others. */
static void configure_tiles(int rows) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  const int upper = (int)least(rows, TILE), lower = rows > TILE ? rows - TILE : TILE;
  const uint8_t tile_rows[8] = {upper, upper, lower, lower, upper, lower, TILE, TILE};
  for (int t = 0; t < 8; t++) config.row_bytes[t] = TILE * 4, config.rows[t] = tile_rows[t];
  _tile_loadconfig(&config);
}

/* Multiplies rows of activations with two tiles of 16 columns. The stride of steps is PANEL columns. */
INLINE void multiply_tiles(const int two, const int8_t *x, const uint8_t *w, const uint8_t *v, int steps, sums a, sums b) {
  _tile_zero(0);
  _tile_zero(1);
  if (two) _tile_zero(2);
  if (two) _tile_zero(3);
  for (int s = 0; s < steps; s += TILE, x += TILE * 4, w += TILE * PANEL * 4, v += TILE * PANEL * 4) {
    _tile_loadd(4, x, GROUP);
    _tile_loadd(6, w, PANEL * 4);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(7, v, PANEL * 4);
    _tile_dpbssd(1, 4, 7);
    if (!two) continue;
    _tile_loadd(5, x + TILE * GROUP, GROUP);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, a, TILE * 4);
  _tile_stored(1, b, TILE * 4);
  if (two) _tile_stored(2, a[TILE], TILE * 4);
  if (two) _tile_stored(3, b[TILE], TILE * 4);
}

/* Multiplies whole bytes with up to 32 rows from `first` on. */
INLINE void tiles_of_bytes(const struct chunk *c, const struct rows *r, int first, int rows) {
  _Alignas(64) sums a, b;
  const int8_t *x = r->x.values[first];
  for (int column = 0; column < PANEL; column += 2 * TILE) {
    const uint8_t *w = c->stored + column * 4;
    if (rows > TILE) multiply_tiles(1, x, w, w + TILE * 4, c->steps, a, b);
    else multiply_tiles(0, x, w, w + TILE * 4, c->steps, a, b);
    const struct columns left = columns_at(0, c, column), right = columns_at(0, c, column + TILE);
    for (int i = 0; i < rows; i++) {
      add_to_row(&left, r, first + i, column, floats_from_ints(ints_load(a[i])));
      add_to_row(&right, r, first + i, column + TILE, floats_from_ints(ints_load(b[i])));
    }
  }
}

/*
 * A nibble times the scale of its block has up to 15 bits: 128 times one byte plus another byte. Both are [steps][64][4] and stay in
 * the L1 cache.
 */
struct digits {
  _Alignas(64) uint8_t high[GROUP * PANEL];
  _Alignas(64) uint8_t low[GROUP * PANEL];
};

/* Multiplies 64 values with 32 pairs of equal scales. */
INLINE void digits_store(ints values, ints scales, uint8_t *high, uint8_t *low) {
  const ints byte = _mm512_set1_epi16(255), half = _mm512_set1_epi16(64);
  const ints even = _mm512_mullo_epi16(_mm512_srai_epi16(_mm512_slli_epi16(values, 8), 8), scales);
  const ints odd = _mm512_mullo_epi16(_mm512_srai_epi16(values, 8), scales);
  const ints even_high = _mm512_srai_epi16(_mm512_add_epi16(even, half), 7);
  const ints odd_high = _mm512_srai_epi16(_mm512_add_epi16(odd, half), 7);
  const ints even_low = _mm512_sub_epi16(even, _mm512_slli_epi16(even_high, 7));
  const ints odd_low = _mm512_sub_epi16(odd, _mm512_slli_epi16(odd_high, 7));
  ints_store(high, ints_xor(ints_and(even_high, byte), _mm512_slli_epi16(odd_high, 8)));
  ints_store(low, ints_xor(ints_and(even_low, byte), _mm512_slli_epi16(odd_low, 8)));
}

static void unpack_digits(const struct chunk *c, struct digits *to) {
  const ints zero = bytes_set(c->header->zero);
  const __m128i table = _mm_loadu_si128((const __m128i *)c->header->table);
  const uint8_t *from = c->stored;
  for (int s = 0; s < c->steps / 2; s++)
    for (int column = 0; column < PANEL; column += LANES, from += sizeof(ints)) {
      const ints scale = ints_load(c->block_scale[s / (BLOCK / 8)] + column);
      const ints scales = ints_xor(ints_and(scale, ints_set(0xffff)), _mm512_slli_epi32(scale, 16));
      const int at = (2 * s * PANEL + column) * 4;
      ints low, high;
      _mm_prefetch((const char *)from + BYTES_AHEAD, _MM_HINT_T0);
      nibbles_load(0, from, table, &low, &high);
      digits_store(_mm512_sub_epi8(low, zero), scales, to->high + at, to->low + at);
      digits_store(_mm512_sub_epi8(high, zero), scales, to->high + at + PANEL * 4, to->low + at + PANEL * 4);
    }
}

/* Multiplies nibbles with up to 32 rows from `first` on. */
INLINE void tiles_of_digits(const int has_min, const struct digits *d, const struct chunk *c, const struct rows *r,
                            int first, int rows) {
  _Alignas(64) sums high, low;
  const int8_t *x = r->x.values[first];
  for (int column = 0; column < PANEL; column += TILE) {
    if (rows > TILE) multiply_tiles(1, x, d->high + column * 4, d->low + column * 4, c->steps, high, low);
    else multiply_tiles(0, x, d->high + column * 4, d->low + column * 4, c->steps, high, low);
    const struct columns s = columns_at(has_min, c, column);
    for (int i = 0; i < rows; i++) {
      const ints total = ints_add(_mm512_slli_epi32(ints_load(high[i]), 7), ints_load(low[i]));
      add_to_row(&s, r, first + i, column, floats_from_ints(total));
    }
  }
}

/* Fewer rows use vector registers, with the same sums: a tile with one row takes as long as a full tile. */
#define LEAST_TILE_ROWS 6

static void multiply_with_tiles(const struct chunk *c, const struct rows *r) {
  if (r->count < LEAST_TILE_ROWS) return multiply_with_vectors(c, r, 0);
  struct digits digits;
  const int is_bytes = c->header->kind == WHOLE_BYTES;
  if (!is_bytes) unpack_digits(c, &digits);
  int configured = 0;
  for (int i = 0, rows; i < r->count; i += rows) {
    rows = (int)least(r->count - i, PAIR_ROWS);
    if (rows < LEAST_TILE_ROWS) return multiply_with_vectors(c, r, i);
    if (rows != configured) configure_tiles(configured = rows);
    if (is_bytes) tiles_of_bytes(c, r, i, rows);
    else if (c->min) tiles_of_digits(1, &digits, c, r, i, rows);
    else tiles_of_digits(0, &digits, c, r, i, rows);
  }
}

#endif
