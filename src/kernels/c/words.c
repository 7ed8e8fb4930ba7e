/* Node: converts f32 activations to words. src[0] is f32 [k, ...], where k is a multiple of 32. dst is i8 (float-words.h). */
#include "float-words.h"

void KERNEL(words)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const struct tensor *src = dst->src[0];
  const int64_t k = src->ne[0], rows = rows_of(src);
  for (int64_t row = share(rows, thread, threads); row < share(rows, thread + 1, threads); row++) {
    const float *x = row_at(src, row);
    for (int64_t i = 0; i < k; i += PAIR * LANES) {
      floats elements[PAIR];
      for (int j = 0; j < PAIR; j++) elements[j] = floats_load(x + i + j * LANES);
      words_store(words_at(dst->data, rows, i / PART, row) + i % PART / PAIR, elements);
    }
  }
}
