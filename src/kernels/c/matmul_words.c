/*
 * Node: 16-bit weights, which are not packed, times activations. src[0] is bf16 or f16 [k, columns], where k is a multiple of 32.
 * src[1] is i8 (float-words.h), dst is f32 [columns, rows].
 *
 * Each part of a panel of columns is transposed into memory that stays in a cache, then all rows are multiplied with it. So there is
 * no packed copy, and a single row reads only the weights. An element adds its products in the order of k. Its result does not
 * depend on other rows.
 */
#include "float-panel.h"
#include "float-product.h"

/* Rows that are multiplied with a panel together. Their sums (64 KB) and a part of the panel (up to 32 KB) are on the stack (matmul.c). */
#define ROWS_AT_ONCE 256

/* Multiplies up to 64 columns from `column` on with up to ROWS_AT_ONCE rows from `first` on. */
static void multiply_panel(struct tensor *dst, int64_t column, int64_t first) {
  _Alignas(64) float y[ROWS_AT_ONCE][PANEL];
  _Alignas(64) uint32_t words[WORDS][PANEL];
  const struct tensor *weights = dst->src[0];
  const int64_t k = weights->ne[0], rows = rows_of(dst), count = least(rows - first, ROWS_AT_ONCE);
  for (int64_t at = 0; at < k; at += PART) {
    const int64_t elements = least(k - at, PART);
    unpack(weights, column, at, elements, words[0]);
    const uint32_t *x = words_at(dst->src[1]->data, rows, at / PART, first);
    for (int j = 0; j < PANEL; j += VECTORS * LANES)
      for (int64_t r = 0; r < count; r += GROUP)
        product((int)least(GROUP, count - r), VECTORS, x + r * WORDS, WORDS, words[0] + j, PANEL, LANES, elements / PAIR,
                y[r] + j, PANEL, at > 0);
  }
  const size_t bytes = least(dst->ne[0] - column, PANEL) * sizeof(float);
  for (int64_t r = 0; r < count; r++) memcpy((float *)row_at(dst, first + r) + column, y[r], bytes);
}

void KERNEL(matmul_words)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const int64_t panels = (dst->ne[0] + PANEL - 1) / PANEL, blocks = (rows_of(dst) + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
  const int64_t items = panels * blocks;
  product_begin();
  for (int64_t item = share(items, thread, threads); item < share(items, thread + 1, threads); item++)
    multiply_panel(dst, item % panels * PANEL, item / panels * ROWS_AT_ONCE);
  product_end();
}
