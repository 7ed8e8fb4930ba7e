/*
 * Node: packed weights times activations. src[0] i8: packed.h; src[1] i8: activations.h; dst f32 [columns, rows].
 * user: k, the number of elements in a row of activations.
 */
#include <string.h>
#ifdef __AMX_INT8__
#include "tile-amx.h"
#else
#include "tile-vector.h"
#endif

/*
 * Rows that pass over a panel together. Their sums (64 KB) stay in the second-level cache, and on the stack: koffi calls
 * native code with 256 KB of it.
 */
#define ROWS_AT_ONCE 256

/* Up to 64 columns of up to ROWS_AT_ONCE rows from `first` on. */
static void multiply_panel(struct tensor *dst, int64_t k, int64_t panel, int64_t first) {
  _Alignas(64) float y[ROWS_AT_ONCE][PANEL];
  struct unpacked unpacked;
  const struct packed *header = dst->src[0]->data;
  int64_t rows = rows_of(dst), columns = dst->ne[0] - panel * PANEL, padded = padded_to_64(k);
  const uint8_t *packed = (const uint8_t *)(header + 1) + panel * panel_bytes(header->kind, padded);
  int count = rows - first < ROWS_AT_ONCE ? (int)(rows - first) : ROWS_AT_ONCE;
  for (int64_t group = 0; group < groups_of(k); group++) {
    int length = padded - group * GROUP < GROUP ? (int)(padded - group * GROUP) : GROUP;
    struct chunk chunk = chunk_at(header, packed, length, &unpacked);
    struct rows r = {activations_at(dst->src[1]->data, k, rows, group, first), y, count, group == 0};
#ifdef __AMX_INT8__
    multiply_with_tiles(&chunk, &r);
#else
    multiply_with_vectors(&chunk, &r, 0);
#endif
    packed += panel_bytes(header->kind, length);
  }
  if (columns > PANEL) columns = PANEL;
  for (int i = 0; i < count; i++)
    memcpy((float *)((char *)dst->data + (first + i) * dst->nb[1]) + panel * PANEL, y[i], columns * sizeof(float));
}

void KERNEL(matmul)(struct tensor *dst, int thread, int threads, void *user) {
  int64_t k = (int64_t)(intptr_t)user, rows = rows_of(dst), panels = (dst->ne[0] + PANEL - 1) / PANEL;
  int64_t items = panels * ((rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
  for (int64_t item = share(items, thread, threads); item < share(items, thread + 1, threads); item++)
    multiply_panel(dst, k, item % panels, item / panels * ROWS_AT_ONCE);
#ifdef __AMX_INT8__
  _tile_release();
#endif
}
