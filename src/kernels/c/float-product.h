/*
 * The matrix product of attention and of 16-bit weights: c [rows][vectors * LANES] = a b, or c += a b.
 *   a  words [rows][steps]; a_row is the stride of rows
 *   b  words [steps][vectors][LANES]; b_step and b_vector are the strides of steps and vectors
 * All strides are in words. `steps` is a multiple of STEP. An element of c adds its steps in order. Its result does not depend on
 * other rows and vectors.
 */
#ifndef COGVLM2_FLOAT_PRODUCT_H
#define COGVLM2_FLOAT_PRODUCT_H

#include "float-math.h"

#ifdef __AMX_BF16__

#define STEP 16   /* words in a row of a tile */
#define GROUP 32  /* maximum rows of a product: two tiles */
#define VECTORS 2 /* maximum vectors */
/* Tiles always read 16 rows, also after the last row. */
#define ROWS_BEHIND 32

/* Called before the first product of a thread. All tiles have 16 rows of 64 bytes. */
INLINE void product_begin(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) config.row_bytes[i] = 64, config.rows[i] = 16;
  _tile_loadconfig(&config);
}
INLINE void product_end(void) { _tile_release(); }

INLINE void tile_rows(int rows, int vectors, const uint32_t *a, size_t a_row, const uint32_t *b, size_t b_step,
                      size_t b_vector, size_t steps, float *c, size_t c_row, int adds) {
  /* Tiles 0 to 3 are c, 4 and 5 are a, 6 and 7 are b. */
  float *below = c + 16 * c_row;
  const int two = rows > 16, wide = vectors > 1;
  if (adds) {
    _tile_loadd(0, c, c_row * 4);
    if (wide) _tile_loadd(1, c + 16, c_row * 4);
    if (two) _tile_loadd(2, below, c_row * 4);
    if (two && wide) _tile_loadd(3, below + 16, c_row * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (size_t i = 0; i < steps; i += STEP) {
    _tile_loadd(6, b + i * b_step, b_step * 4);
    _tile_loadd(4, a + i, a_row * 4);
    _tile_dpbf16ps(0, 4, 6);
    if (two) {
      _tile_loadd(5, a + 16 * a_row + i, a_row * 4);
      _tile_dpbf16ps(2, 5, 6);
    }
    if (wide) {
      _tile_loadd(7, b + i * b_step + b_vector, b_step * 4);
      _tile_dpbf16ps(1, 4, 7);
      if (two) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_row * 4);
  if (wide) _tile_stored(1, c + 16, c_row * 4);
  if (two) _tile_stored(2, below, c_row * 4);
  if (two && wide) _tile_stored(3, below + 16, c_row * 4);
}

static __attribute__((noinline)) void product(int rows, int vectors, const uint32_t *a, size_t a_row, const uint32_t *b,
                                              size_t b_step, size_t b_vector, size_t steps, float *c, size_t c_row,
                                              int adds) {
  if (rows == GROUP && vectors == VECTORS) {
    tile_rows(GROUP, VECTORS, a, a_row, b, b_step, b_vector, steps, c, c_row, adds);
  } else if (rows % 16 == 0) {
    tile_rows(rows, vectors, a, a_row, b, b_step, b_vector, steps, c, c_row, adds);
  } else {
    /* The rows after the last one must not be written. */
    float part[GROUP * VECTORS * LANES];
    const size_t bytes = vectors * LANES * sizeof(float);
    for (int r = 0; adds && r < rows; r++) memcpy(part + r * VECTORS * LANES, c + r * c_row, bytes);
    tile_rows(rows, vectors, a, a_row, b, b_step, b_vector, steps, part, VECTORS * LANES, adds);
    for (int r = 0; r < rows; r++) memcpy(c + r * c_row, part + r * VECTORS * LANES, bytes);
  }
}

#else

#define STEP 1
#define GROUP 6
#define ROWS_BEHIND 0
#ifdef __AVX512F__
#define VECTORS 4 /* 6 rows of 4 vectors are 24 of 32 registers */
#else
#define VECTORS 2 /* 12 of 16 registers */
#endif

INLINE void product_begin(void) {}
INLINE void product_end(void) {}

/* Returns sum plus a word of a row times a vector of words. */
INLINE floats multiply_add(floats sum, uint32_t word, floats vector) {
#if PAIR == 2
  return _mm512_dpbf16_ps(sum, (__m512bh)vector, (__m512bh)_mm512_set1_epi32((int)word));
#else
  union { uint32_t bits; float value; } x = {.bits = word};
  return floats_fma(floats_set(x.value), vector, sum);
#endif
}

INLINE void product_of(const int rows, const int vectors, const uint32_t *a, size_t a_row, const uint32_t *b,
                       size_t b_step, size_t b_vector, size_t steps, float *c, size_t c_row, int adds) {
  floats sum[GROUP][VECTORS];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int j = 0; j < vectors; j++)
      sum[r][j] = adds ? floats_load(c + r * c_row + j * LANES) : floats_zero();
  for (size_t i = 0; i < steps; i++) {
    floats column[VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) column[j] = floats_load(b + i * b_step + j * b_vector);
    UNROLL for (int r = 0; r < rows; r++)
      UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = multiply_add(sum[r][j], a[r * a_row + i], column[j]);
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int j = 0; j < vectors; j++) floats_store(c + r * c_row + j * LANES, sum[r][j]);
}

static __attribute__((noinline)) void product(int rows, int vectors, const uint32_t *a, size_t a_row, const uint32_t *b,
                                              size_t b_step, size_t b_vector, size_t steps, float *c, size_t c_row,
                                              int adds) {
#define CASE(r, j) \
  case r * 8 + j: product_of(r, j, a, a_row, b, b_step, b_vector, steps, c, c_row, adds); break;
#if VECTORS == 4
#define CASES(r) CASE(r, 1) CASE(r, 2) CASE(r, 3) CASE(r, 4)
#else
#define CASES(r) CASE(r, 1) CASE(r, 2)
#endif
  switch (rows * 8 + vectors) { CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6) }
}

#endif
#endif
