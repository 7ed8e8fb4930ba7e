/* Node: rounds f32 activations to bytes. src[0] is f32 [k, ...], dst is i8 [64 + 280 * groups * rows] (activations.h). */
#include <string.h>
#include "activations.h"

/* Rounds one group of one row: x[count], then zeros. */
static void quantize_group(const float *x, int64_t count, struct activations to) {
  float padded[GROUP];
  if (count < GROUP) {
    memset(padded, 0, sizeof padded);
    memcpy(padded, x, count * sizeof(float));
    x = padded;
  }
  to.scale[0] = round_group(x, to.values[0]);
  to.group_sum[0] = 0;
  for (int block = 0; block < BLOCKS; block++) {
    int sum = 0;
    for (int k = 0; k < BLOCK; k++) sum += to.values[0][block * BLOCK + k];
    to.block_sum[0][block] = (int16_t)sum;
    to.group_sum[0] += sum;
  }
}

void KERNEL(quantize)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const struct tensor *src = dst->src[0];
  int64_t k = src->ne[0], rows = rows_of(src);
  for (int64_t row = share(rows, thread, threads); row < share(rows, thread + 1, threads); row++) {
    const float *x = row_at(src, row);
    for (int64_t group = 0; group < groups_of(k); group++)
      quantize_group(x + group * GROUP, k - group * GROUP, activations_at(dst->data, k, rows, group, row));
  }
}
