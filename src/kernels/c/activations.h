/*
 * Activations as bytes, for products with low-bit weights. k is padded with zeros to whole groups of 256, and a group of
 * all rows is contiguous, because a product reads one group of many rows at a time:
 *   int8 values[groups][rows][256]
 *   f32  scale[groups][rows]          element = value * scale
 *   i32  group_sum[groups][rows]      sum of a group's values
 *   i16  block_sum[groups][rows][8]   sums of 32 values
 * The sums correct for weights that are stored with an offset. The data begins at the tensor's first multiple of 64 bytes.
 */
#ifndef COGVLM2_ACTIVATIONS_H
#define COGVLM2_ACTIVATIONS_H

#include "group.h"

#define BLOCK 32 /* elements of a block of 4-bit weights */
#define BLOCKS (GROUP / BLOCK)

struct activations {
  int8_t (*values)[GROUP];
  float *scale;
  int32_t *group_sum;
  int16_t (*block_sum)[BLOCKS];
};

INLINE int64_t groups_of(int64_t k) { return (k + GROUP - 1) / GROUP; }

/* One group of `rows` rows, from row `first` on. */
INLINE struct activations activations_at(void *data, int64_t k, int64_t rows, int64_t group, int64_t first) {
  int64_t all = groups_of(k) * rows, at = group * rows + first;
  char *base = (char *)(((uintptr_t)data + 63) & ~(uintptr_t)63);
  struct activations a = {
      .values = (int8_t (*)[GROUP])base + at,
      .scale = (float *)(base + all * GROUP) + at,
      .group_sum = (int32_t *)(base + all * (GROUP + 4)) + at,
      .block_sum = (int16_t (*)[BLOCKS])(base + all * (GROUP + 8)) + at,
  };
  return a;
}

#endif
