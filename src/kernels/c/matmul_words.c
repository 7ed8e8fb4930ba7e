/*
 * Node: 16-bit weights, as they are stored, times activations. src[0] bf16 or f16 [k, columns], k a multiple of 32; src[1]
 * i8: float-words.h; dst f32 [columns, rows].
 *
 * A panel of columns is transposed part by part into memory that stays in a cache, and all rows are multiplied with
 * it. So there is no packed copy, and a single row reads nothing but the weights. An element adds its products in
 * the order of k, whatever the other rows are.
 */
#include "float-panel.h"
#include "float-product.h"

/* Rows that pass over a panel together; the stack holds their sums (64 KB) and a part of the panel (up to 32 KB). See matmul.c. */
#define ROWS_AT_ONCE 256

/* Up to 64 columns from `column` on of up to ROWS_AT_ONCE rows from `first` on. */
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
