/* Rounds 256 floats to bytes with one scale: activations, and weights of types that are not 4-bit types. */
#ifndef COGVLM2_GROUP_H
#define COGVLM2_GROUP_H

#include "simd.h"

#define GROUP 256

/* A group with a smaller maximum becomes zeros, because 127 / largest would be infinite. */
#define SMALLEST 1e-36f

/*
 * x[256] -> values[256] from -127 to 127, x = values * scale. Returns the scale. It is 0 for zeros. If x has a NaN or an infinity,
 * the values are 0 and the scale is NaN, so that every product with this group is NaN.
 */
INLINE float round_group(const float *x, int8_t *values) {
  union { int bits; float value; } most = {.bits = largest_bits(x, GROUP)};
  int finite = most.bits < INFINITY_BITS;
  if (!finite || most.value < SMALLEST) {
    for (int k = 0; k < GROUP; k += LANES) ints_store_as_bytes(values + k, ints_zero());
    return finite ? 0 : __builtin_nanf("");
  }
  const floats inverse = floats_set(127 / most.value);
  for (int k = 0; k < GROUP; k += LANES)
    ints_store_as_bytes(values + k, ints_from_floats(floats_mul(floats_load(x + k), inverse)));
  return most.value / 127;
}

#endif
