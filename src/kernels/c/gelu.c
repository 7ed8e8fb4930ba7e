/*
 * Node: the exact GELU, x (1 + erf(x / sqrt(2))) / 2, of x = src[0] + src[1]. src[0] is f32 [width, ...], contiguous. src[1] is the
 * bias f32 [width] or NULL. dst has the shape of src[0].
 */
#include "float-math.h"

/*
 * max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2, a form without cancellation. erfc is from Abramowitz and Stegun, 7.1.26, with an error
 * below 1.5e-7.
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

INLINE floats biased_gelu(const float *x, const float *bias) {
  return gelu(bias ? floats_add(floats_load(x), floats_load(bias)) : floats_load(x));
}

void KERNEL(gelu)(struct tensor *dst, int thread, int threads, void *user) {
  (void)user;
  const int64_t width = dst->ne[0], rows = rows_of(dst), left = width % LANES;
  const float *bias = dst->src[1] ? dst->src[1]->data : NULL;
  for (int64_t row = share(rows, thread, threads); row < share(rows, thread + 1, threads); row++) {
    const float *x = (const float *)dst->src[0]->data + row * width;
    float *y = (float *)dst->data + row * width;
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES) floats_store(y + i, biased_gelu(x + i, bias ? bias + i : NULL));
    if (left == 0) continue;
    float last[LANES] = {0}, last_bias[LANES] = {0};
    memcpy(last, x + i, left * sizeof(float));
    if (bias) memcpy(last_bias, bias + i, left * sizeof(float));
    floats_store(last, biased_gelu(last, bias ? last_bias : NULL));
    memcpy(y + i, last, left * sizeof(float));
  }
}
