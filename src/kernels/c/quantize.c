/* Node: rows of f32 activations as bytes. src[0] f32 [k, ...], dst i8 [bytes of a row, rows]; see activations.h. */
#include <string.h>
#include "activations.h"
#include "simd.h"

/* Below this a group counts as zeros: 1 / scale would be infinite. */
#define SMALLEST 1e-36f
#define INFINITY_BITS 0x7f800000

/* x[256] -> bytes, their scale and the sum of each block. */
static void quantize_group(const float *x, int8_t *values, float *scale, int32_t *group_sum, int32_t *block_sum) {
  const ints magnitude = ints_set(0x7fffffff);
  ints largest = ints_zero();
  /* The bits of positive floats compare as integers, NaN above infinity. */
  for (int k = 0; k < GROUP; k += LANES)
    largest = ints_max(largest, ints_and(floats_as_ints(floats_load(x + k)), magnitude));
  union { int bits; float value; } most = {.bits = ints_largest(largest)};
  int finite = most.bits < INFINITY_BITS, zero = !finite || most.value < SMALLEST;
  *scale = finite ? (zero ? 0 : most.value / 127) : __builtin_nanf("");
  const floats inverse = floats_set(zero ? 0 : 127 / most.value);
  *group_sum = 0;
  for (int b = 0; b < GROUP / BLOCK; b++) {
    ints sum = ints_zero();
    for (int k = b * BLOCK; k < (b + 1) * BLOCK; k += LANES) {
      ints q = zero ? ints_zero() : ints_from_floats(floats_mul(floats_load(x + k), inverse));
      sum = ints_add(sum, q);
      ints_store_as_bytes(values + k, q);
    }
    block_sum[b] = ints_sum(sum);
    *group_sum += block_sum[b];
  }
}

void KERNEL(quantize)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const struct tensor *src = dst->src[0];
  int64_t k = src->ne[0], padded = padded_to_64(k), rows = rows_of(src), groups = groups_of(padded);
  for (int64_t row = share(rows, thread, threads); row < share(rows, thread + 1, threads); row++) {
    const float *x = row_at(src, row);
    char *out = (char *)dst->data + row * dst->nb[1];
    int8_t *values = (int8_t *)out;
    float *scale = (float *)(out + padded);
    int32_t *group_sum = (int32_t *)(scale + groups), *block_sum = group_sum + groups;
    for (int64_t g = 0; g < groups; g++) {
      int64_t at = g * GROUP, count = k - at;
      if (count >= GROUP) {
        quantize_group(x + at, values + at, scale + g, group_sum + g, block_sum + at / BLOCK);
        continue;
      }
      /* The last group of a row that is not whole groups. */
      float part[GROUP] = {0};
      int8_t bytes[GROUP];
      int32_t sums[GROUP / BLOCK];
      memcpy(part, x + at, count * sizeof(float));
      quantize_group(part, bytes, scale + g, group_sum + g, sums);
      memcpy(values + at, bytes, padded - at);
      memcpy(block_sum + at / BLOCK, sums, (padded - at) / BLOCK * sizeof(int32_t));
    }
  }
}
