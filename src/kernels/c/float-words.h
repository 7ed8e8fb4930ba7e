/*
 * Activations as words (see PAIR), for products with 16-bit weights. k is split into parts of WORDS words. A part of all rows is
 * contiguous, because a product reads one part of many rows at a time: words [parts][rows][WORDS]. After the last row there are
 * more rows, because tiles may read them. The last part may have fewer words: a multiple of STEP.
 */
#ifndef COGVLM2_FLOAT_WORDS_H
#define COGVLM2_FLOAT_WORDS_H

#include "float-math.h"

/* Words in a part. A part of a panel stays in the L1 cache (PAIR 1) or in the L2 cache (PAIR 2). */
#define WORDS (64 * PAIR)
#define PART (WORDS * PAIR) /* elements in a part */

/* One part of `rows` rows, from row `first` on. */
INLINE uint32_t *words_at(void *data, int64_t rows, int64_t part, int64_t first) {
  return (uint32_t *)(((uintptr_t)data + 63) & ~(uintptr_t)63) + (part * rows + first) * WORDS;
}

#endif
