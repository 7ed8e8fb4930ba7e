/*
 * A row of activations as bytes, for products with low-bit weights. The row is padded to whole steps of 64 elements:
 *   int8  values[padded]
 *   f32   scale[groups]          value of element k = values[k] * scale[k / 256]
 *   i32   group_sum[groups]      sum of the group's bytes
 *   i32   block_sum[padded / 32] sum of each block's bytes
 * The sums correct for weights that are stored with an offset.
 */
#ifndef COGVLM2_ACTIVATIONS_H
#define COGVLM2_ACTIVATIONS_H

#include "group.h"

#define BLOCK 32 /* elements of a block of 4-bit weights */

struct activations {
  int8_t *values;
  float *scale;
  int32_t *group_sum;
  int32_t *block_sum;
};

INLINE int64_t padded_to_64(int64_t k) { return (k + 63) / 64 * 64; }
INLINE int64_t groups_of(int64_t padded) { return (padded + GROUP - 1) / GROUP; }

INLINE struct activations activations_at(void *row, int64_t padded) {
  int64_t groups = groups_of(padded);
  struct activations a;
  a.values = row;
  a.scale = (float *)(a.values + padded);
  a.group_sum = (int32_t *)(a.scale + groups);
  a.block_sum = a.group_sum + groups;
  return a;
}

#endif
