/*
 * Node: packed weights times activations. src[0] i8: packed.h; src[1] i8 [bytes of a row, rows]: activations.h;
 * dst f32 [columns, rows]. user: k, the number of elements that a row of activations has.
 */
#include <string.h>
#include "packed.h"
#include "tile-vector.h"

/* Rows that pass over a panel together: their sums stay in the second-level cache. */
#define ROWS_AT_ONCE 512

/* 64 columns of `r->count` rows. `y` has whole panels. */
static void multiply_panel(const struct packed *header, const uint8_t *panel, struct rows r) {
  struct unpacked unpacked;
  for (int64_t at = 0; at < r.padded; at += GROUP, r.group++) {
    int k = r.padded - at < GROUP ? (int)(r.padded - at) : GROUP;
    struct chunk chunk = chunk_at(header, panel, k, &unpacked);
    multiply(&chunk, &r);
    panel += panel_bytes(header->kind, k);
  }
}

/* The last panel, which has fewer columns than the memory of a panel: by way of a few rows beside it. */
static void multiply_narrow_panel(const struct packed *header, const uint8_t *panel, struct rows r, int64_t columns) {
  enum { few = 48 };
  _Alignas(64) float y[few][PANEL];
  struct rows part = r;
  part.y = y[0];
  part.y_bytes = sizeof y[0];
  for (int i = 0; i < r.count; i += few) {
    part.x = r.x + i * r.x_bytes;
    part.count = r.count - i < few ? r.count - i : few;
    multiply_panel(header, panel, part);
    for (int j = 0; j < part.count; j++) memcpy((char *)r.y + (i + j) * r.y_bytes, y[j], columns * sizeof(float));
  }
}

void KERNEL(matmul)(struct tensor *dst, int thread, int threads, void *user) {
  const struct packed *header = dst->src[0]->data;
  const uint8_t *panels = (const uint8_t *)(header + 1);
  const struct tensor *x = dst->src[1];
  int64_t padded = padded_to_64((int64_t)(intptr_t)user), rows = rows_of(dst), columns = dst->ne[0];
  int64_t panel_count = (columns + PANEL - 1) / PANEL, parts = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
  int64_t items = panel_count * parts;
  begin_tiles(rows);
  for (int64_t item = share(items, thread, threads); item < share(items, thread + 1, threads); item++) {
    int64_t panel = item % panel_count, first = item / panel_count * ROWS_AT_ONCE;
    const uint8_t *packed = panels + panel * panel_bytes(header->kind, padded);
    struct rows r = {
        .x = (int8_t *)x->data + first * x->nb[1],
        .x_bytes = x->nb[1],
        .y = (float *)((char *)dst->data + first * dst->nb[1]) + panel * PANEL,
        .y_bytes = dst->nb[1],
        .count = (int)(rows - first < ROWS_AT_ONCE ? rows - first : ROWS_AT_ONCE),
        .padded = padded,
    };
    int64_t left = columns - panel * PANEL;
    if (left >= PANEL) multiply_panel(header, packed, r);
    else multiply_narrow_panel(header, packed, r, left);
  }
  end_tiles();
}
