/*
 * Activations as words (see PAIR), for products with 16-bit weights. k is cut into parts of WORDS words, and a part of all
 * rows is contiguous, because a product reads one part of many rows at a time: words [parts][rows][WORDS], then rows
 * that tiles may read behind the last one. The last part may have fewer words: a multiple of STEP.
 */
#ifndef COGVLM2_FLOAT_WORDS_H
#define COGVLM2_FLOAT_WORDS_H

#include "float-math.h"

/* Words of a part: a panel's part stays in the first-level cache, or, where pairs are multiplied faster, in the second. */
#define WORDS (64 * PAIR)
#define PART (WORDS * PAIR) /* elements of a part */

/* One part of `rows` rows, from row `first` on. */
INLINE uint32_t *words_at(void *data, int64_t rows, int64_t part, int64_t first) {
  return (uint32_t *)(((uintptr_t)data + 63) & ~(uintptr_t)63) + (part * rows + first) * WORDS;
}

#endif
