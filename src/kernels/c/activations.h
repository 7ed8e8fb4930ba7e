/*
 * A row of activations as bytes, for products with low-bit weights. The row is padded to whole steps of 64 elements:
 *   int8  values[padded]
 *   f32   scale[groups]          value of element k = values[k] * scale[k / 256]
 *   i32   group_sum[groups]      sum of the group's bytes
 *   i32   block_sum[padded / 32] sum of each block's bytes
 * The sums correct for weights that are stored with an offset. A group with a NaN or an infinity has the scale NaN, so
 * that the whole row of the product is NaN.
 */
#ifndef COGVLM2_ACTIVATIONS_H
#define COGVLM2_ACTIVATIONS_H

#include "tensor.h"

#define GROUP 256 /* elements that share one scale */
#define BLOCK 32  /* elements of a block of 4-bit weights */

struct activations {
  const int8_t *values;
  const float *scale;
  const int32_t *group_sum;
  const int32_t *block_sum;
};

INLINE int64_t padded_to_64(int64_t k) { return (k + 63) / 64 * 64; }
INLINE int64_t groups_of(int64_t padded) { return (padded + GROUP - 1) / GROUP; }

INLINE struct activations activations_at(const void *row, int64_t padded) {
  int64_t groups = groups_of(padded);
  struct activations a;
  a.values = row;
  a.scale = (const float *)(a.values + padded);
  a.group_sum = (const int32_t *)(a.scale + groups);
  a.block_sum = a.group_sum + groups;
  return a;
}

#endif
