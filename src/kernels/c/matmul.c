/*
 * Node: packed weights times activations. src[0] is i8 (packed.h), src[1] is i8 (activations.h), dst is f32 [columns, rows].
 * user is k, the number of elements in a row of activations.
 */
#include <string.h>
#ifdef __AMX_INT8__
#include "tile-amx.h"
#else
#include "tile-vector.h"
#endif

/*
 * Rows that are multiplied with a panel together. Their sums (64 KB) stay in the L2 cache. They are on the stack: koffi calls
 * native code with a stack of 256 KB.
 */
#define ROWS_AT_ONCE 256

/*
 * All panels are multiplied with this number of elements of k before the next elements, so that the activations of ROWS_AT_ONCE rows
 * (1 MB) stay in the L2 cache. A multiple of GROUP.
 */
#define K_AT_ONCE 4096

/* A part of the work: rows from `first` on, elements of k from `at` to `end`. */
struct part {
  int64_t first, at, end;
  int rows;
};

/* Adds the products of a part and up to 64 columns to dst. */
static void multiply_panel(struct tensor *dst, int64_t k, int64_t panel, const struct part *part) {
  _Alignas(64) float y[ROWS_AT_ONCE][PANEL];
  struct scales scales;
  const struct packed *header = dst->src[0]->data;
  const int64_t rows = rows_of(dst), padded = padded_to_64(k);
  const size_t y_bytes = least(dst->ne[0] - panel * PANEL, PANEL) * sizeof(float);
  char *result = (char *)dst->data + part->first * dst->nb[1] + panel * PANEL * sizeof(float);
  const uint8_t *packed =
      (const uint8_t *)(header + 1) + panel * panel_bytes(header->kind, padded) + panel_bytes(header->kind, part->at);
  for (int i = 0; part->at > 0 && i < part->rows; i++) memcpy(y[i], result + i * dst->nb[1], y_bytes);
  for (int64_t at = part->at; at < part->end; at += GROUP) {
    int length = (int)least(padded - at, GROUP);
    struct chunk chunk = chunk_at(header, packed, length, &scales);
    struct rows r = {activations_at(dst->src[1]->data, k, rows, at / GROUP, part->first), y, part->rows, at == 0};
#ifdef __AMX_INT8__
    multiply_with_tiles(&chunk, &r);
#else
    multiply_with_vectors(&chunk, &r, 0);
#endif
    packed += group_bytes(header->kind, length);
  }
  for (int i = 0; i < part->rows; i++) memcpy(result + i * dst->nb[1], y[i], y_bytes);
}

void KERNEL(matmul)(struct tensor *dst, int thread, int threads, void *user) {
  const int64_t k = (int64_t)(intptr_t)user, rows = rows_of(dst), panels = (dst->ne[0] + PANEL - 1) / PANEL;
  /* An item of work is a panel and a block of rows. */
  const int64_t items = panels * ((rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE), end = share(items, thread + 1, threads);
  for (int64_t item = share(items, thread, threads), next; item < end; item = next) {
    const int64_t block = item / panels, first = block * ROWS_AT_ONCE;
    next = least(end, (block + 1) * panels);
    struct part part = {.first = first, .rows = (int)least(rows - first, ROWS_AT_ONCE)};
    for (; part.at < k; part.at = part.end) {
      part.end = part.rows > PANEL ? least(k, part.at + K_AT_ONCE) : k;
      for (int64_t panel = item; panel < next; panel++) multiply_panel(dst, k, panel - block * panels, &part);
    }
  }
#ifdef __AMX_INT8__
  _tile_release();
#endif
}
