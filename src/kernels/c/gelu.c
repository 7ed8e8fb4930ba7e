/* Node: the exact GELU, x (1 + erf(x / sqrt(2))) / 2, of src[0] f32, contiguous; dst has its shape. */
#include "float-math.h"

/*
 * max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2, which loses nothing to cancellation. erfc as in Abramowitz and Stegun, 7.1.26,
 * within 1.5e-7.
 */
INLINE floats gelu(floats x) {
  const floats size = floats_max(floats_sub(floats_zero(), x), x);
  const floats t = floats_div(floats_set(1.f), floats_fma(size, floats_set(0.3275911f * 0.70710678f), floats_set(1.f)));
  floats p = floats_set(1.061405429f);
  p = floats_fma(p, t, floats_set(-1.453152027f));
  p = floats_fma(p, t, floats_set(1.421413741f));
  p = floats_fma(p, t, floats_set(-0.284496736f));
  p = floats_fma(p, t, floats_set(0.254829592f));
  /* exp(-x^2 / 2) */
  const floats e = floats_exp2(floats_mul(floats_mul(x, x), floats_set(-0.5f * 1.44269504f)));
  const floats tail = floats_mul(floats_mul(p, t), e);
  return floats_fma(floats_mul(size, floats_set(-0.5f)), tail, floats_max(floats_zero(), x));
}

void KERNEL(gelu)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const float *x = dst->src[0]->data;
  float *y = dst->data;
  const int64_t count = dst->ne[0] * rows_of(dst), vectors = count / LANES;
  int64_t i = share(vectors, thread, threads) * LANES, end = share(vectors, thread + 1, threads) * LANES;
  for (; i < end; i += LANES) floats_store(y + i, gelu(floats_load(x + i)));
  if (thread < threads - 1 || count % LANES == 0) return;
  float last[LANES] = {0};
  memcpy(last, x + end, count % LANES * sizeof(float));
  floats_store(last, gelu(floats_load(last)));
  memcpy(y + end, last, count % LANES * sizeof(float));
}
