/* One group of k of one panel, ready to be multiplied: 64 columns by up to 256 elements, as bytes. */
#ifndef COGVLM2_CHUNK_H
#define COGVLM2_CHUNK_H

#include "packed.h"

struct chunk {
  const struct packed *header;
  const uint8_t *bytes; /* [steps][64][4] */
  int steps;
  /* Of each block of 32, or of the whole group where there is one scale for all of it. */
  const float (*scale)[PANEL];
  const float (*min)[PANEL];
};

/* One group of some rows of activations, and where their products with a panel are added up. */
struct rows {
  struct activations x;
  float (*y)[PANEL];
  int count;
  int first_group; /* y is set, not added to */
};

/* Where nibbles are unpacked to: it stays in the first-level cache while all rows are multiplied with it. */
struct unpacked {
  _Alignas(64) uint8_t bytes[GROUP * PANEL];
  _Alignas(64) float scale[BLOCKS][PANEL];
  _Alignas(64) float min[BLOCKS][PANEL];
};

/*
 * How far ahead the weights are prefetched. The processor's own prefetching ends with a page of 4 kB: with this, a single row
 * is multiplied a quarter faster. A prefetch past the end is harmless.
 */
#define BYTES_AHEAD 8192

INLINE void unpack_block(const uint8_t *packed, __m128i table, uint8_t *bytes) {
  const ints low = bytes_set(15);
  for (int j = 0; j < 4; j++)
    for (int v = 0; v < PANEL * 4; v += (int)sizeof(ints)) {
      ints x = ints_load(packed + j * PANEL * 4 + v);
      if (v % 64 == 0) _mm_prefetch((const char *)packed + j * PANEL * 4 + v + BYTES_AHEAD, _MM_HINT_T0);
      ints_store(bytes + 2 * j * PANEL * 4 + v, bytes_table(table, ints_and(x, low)));
      ints_store(bytes + (2 * j + 1) * PANEL * 4 + v, bytes_table(table, ints_and(shorts_shift_right(x, 4), low)));
    }
}

INLINE void unpack_halves(const uint8_t *halves, float *floats) {
  for (int c = 0; c < PANEL; c += LANES) floats_store(floats + c, floats_from_halves(halves + 2 * c));
}

/* The group that begins at `packed`, of `k` elements. */
INLINE struct chunk chunk_at(const struct packed *header, const uint8_t *packed, int k, struct unpacked *to) {
  struct chunk c = {header, packed, k / 4, (const float (*)[PANEL])(packed + k * PANEL), 0};
  if (header->kind == WHOLE_BYTES) return c;
  __m128i table = _mm_loadu_si128((const __m128i *)header->table);
  for (int b = 0; b < k / BLOCK; b++, packed += block_bytes(header->kind)) {
    unpack_block(packed, table, to->bytes + b * BLOCK * PANEL);
    unpack_halves(packed + NIBBLE_BYTES, to->scale[b]);
    if (header->kind == NIBBLES_MIN) unpack_halves(packed + NIBBLE_BYTES + 2 * PANEL, to->min[b]);
  }
  c.bytes = to->bytes;
  c.scale = (const float (*)[PANEL])to->scale;
  c.min = (const float (*)[PANEL])to->min;
  return c;
}

#endif
