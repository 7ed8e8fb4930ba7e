/* Node: rows of f32 activations as bytes. src[0] f32 [k, ...], dst i8 [bytes of a row, rows]; see activations.h. */
#include <string.h>
#include "activations.h"

/* Bytes of one group of a row: x[count], then zeros. */
static void quantize_group(const float *x, int64_t count, struct activations row, int64_t group, int64_t padded) {
  float padded_x[GROUP];
  int8_t bytes[GROUP];
  if (count < GROUP) {
    memset(padded_x, 0, sizeof padded_x);
    memcpy(padded_x, x, count * sizeof(float));
    x = padded_x;
  }
  row.scale[group] = round_group(x, bytes);
  int64_t at = group * GROUP, used = padded - at < GROUP ? padded - at : GROUP;
  memcpy(row.values + at, bytes, used);
  row.group_sum[group] = 0;
  for (int64_t block = 0; block < used / BLOCK; block++) {
    int sum = 0;
    for (int k = 0; k < BLOCK; k++) sum += bytes[block * BLOCK + k];
    row.block_sum[at / BLOCK + block] = sum;
    row.group_sum[group] += sum;
  }
}

void KERNEL(quantize)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const struct tensor *src = dst->src[0];
  int64_t k = src->ne[0], padded = padded_to_64(k), rows = rows_of(src);
  for (int64_t i = share(rows, thread, threads); i < share(rows, thread + 1, threads); i++) {
    const float *x = row_at(src, i);
    struct activations row = activations_at((char *)dst->data + i * dst->nb[1], padded);
    for (int64_t group = 0; group < groups_of(padded); group++)
      quantize_group(x + group * GROUP, k - group * GROUP, row, group, padded);
  }
}
