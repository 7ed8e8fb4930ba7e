/*
 * Products of whole bytes with rows, in AMX tiles: 16 rows by 16 columns by 64 bytes at once. Sums of integers are exact
 * and are scaled and added as tile-vector.h does it, which takes small numbers of rows, so a row's result does not depend
 * on the rows beside it. Nibbles have a scale for each 32: half of a tile, so vector registers are as fast.
 */
#ifndef COGVLM2_TILE_AMX_H
#define COGVLM2_TILE_AMX_H

#include "tile-vector.h"

#define TILE 16 /* rows, columns, and steps of four bytes */
#define PANEL_TILES (PANEL / TILE)

typedef int32_t sums[TILE][TILE];

/* Tiles 0 to 3 are sums, 4 rows of activations, 5 and 7 weights. */
static void configure_tiles(int rows) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    int is_weights = t == 5 || t == 7;
    config.row_bytes[t] = TILE * 4;
    config.rows[t] = is_weights ? TILE : rows;
  }
  _tile_loadconfig(&config);
}

/* y (+)= total * the row's scale, for 16 columns of one row. */
INLINE void add_to_row(const struct rows *r, int row, int column, floats total) {
  float *y = r->y[row] + column;
  floats scale = floats_set(r->x.scale[row]);
  floats_store(y, r->first_group ? floats_mul(total, scale) : floats_fma(total, scale, floats_load(y)));
}

/* One scale for the whole group: all its products are added up as integers. */
INLINE void multiply_bytes(const int rows, const struct chunk *c, const struct rows *r, int first) {
  _Alignas(64) sums sum[PANEL_TILES];
  const int8_t *x = r->x.values[first];
  const uint8_t *w = c->bytes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int s = 0; s < c->steps; s += TILE, x += TILE * 4, w += TILE * PANEL * 4) {
    _tile_loadd(4, x, GROUP);
    _tile_loadd(5, w, PANEL * 4);
    _tile_dpbssd(0, 4, 5);
    _tile_loadd(7, w + TILE * 4, PANEL * 4);
    _tile_dpbssd(1, 4, 7);
    _tile_loadd(5, w + TILE * 8, PANEL * 4);
    _tile_dpbssd(2, 4, 5);
    _tile_loadd(7, w + TILE * 12, PANEL * 4);
    _tile_dpbssd(3, 4, 7);
  }
  _tile_stored(0, sum[0], TILE * 4);
  _tile_stored(1, sum[1], TILE * 4);
  _tile_stored(2, sum[2], TILE * 4);
  _tile_stored(3, sum[3], TILE * 4);
  for (int j = 0; j < PANEL_TILES; j++) {
    floats scale = floats_load(c->scale[0] + j * TILE);
    for (int i = 0; i < rows; i++)
      add_to_row(r, first + i, j * TILE, floats_mul(floats_from_ints(ints_load(sum[j][i])), scale));
  }
}

/* Fewer rows than this go through vector registers, with the same sums: a tile of one row costs as much as a whole one. */
#define LEAST_TILE_ROWS 6

static void multiply_with_tiles(const struct chunk *c, const struct rows *r) {
  if (c->header->kind != WHOLE_BYTES) return multiply_with_vectors(c, r, 0);
  const int rest = r->count % TILE;
  if (r->count >= TILE) configure_tiles(TILE);
  for (int i = 0; i + TILE <= r->count; i += TILE) multiply_bytes(TILE, c, r, i);
  if (rest == 0) return;
  if (rest < LEAST_TILE_ROWS) return multiply_with_vectors(c, r, r->count - rest);
  configure_tiles(rest);
  multiply_bytes(rest, c, r, r->count - rest);
}

#endif
