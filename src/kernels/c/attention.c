/*
 * Nodes: softmax(q k^T / sqrt(d)) v over packed keys and values, for heads whose size d is a multiple of 16.
 *
 * Keys and values are packed once, when they are appended. Every later row reads them. Layout of each key/value head:
 *   keys    [capacity / LANES][padded d / PAIR][LANES][PAIR], zeros after element d
 *   values  [capacity / PAIR][d][PAIR], in memory of the same size
 * An element has 16 bits (see PAIR). The padded d is a multiple of 32, and the capacity is a multiple of 64.
 *
 * The result of a row does not depend on other rows, other sequences, the number of threads or the capacity: blocks of keys are
 * processed in order from the first key on, and every sum adds its terms in order.
 */
#include "whole-keys.h"

/*
 * Rows that read a block of keys together. Without bf16 products, f16 keys are converted first. More rows share this work, and the
 * caches of most of these processors are large enough.
 */
#define TILE (WHOLE_KEYS || (LANES == 16 && PAIR == 1) ? 192 : 96)
#define BLOCK (PAIR == 2 ? 256 : 128) /* keys in a step of the online softmax; a block stays in the L2 cache */

/* A row of the table (i64) that both nodes read: a sequence, or a batch item of full attention. */
struct sequence {
  int64_t address;  /* of layer 0. The values of a layer follow its keys, then the next layer follows. */
  int64_t capacity; /* in keys */
  int64_t kv_heads;
  int64_t rows; /* rows of q, k and v, after those of the previous sequence */
  int64_t at;   /* index of the first row's key */
  int64_t keys; /* each row attends to this number of keys; 0: the row with key i attends to the first i + 1 (causal) */
};

INLINE int64_t padded_size(int64_t d) { return (d + 31) / 32 * 32; }

INLINE uint16_t *keys_at(const struct sequence *s, const void *layer, int64_t head, int64_t d) {
  return (uint16_t *)(uintptr_t)s->address + (2 * (intptr_t)layer * s->kv_heads + head) * s->capacity * padded_size(d);
}
INLINE uint16_t *values_at(const struct sequence *s, const void *layer, int64_t head, int64_t d) {
  return keys_at(s, layer, head + s->kv_heads, d);
}

/* Packs the rows of k and v: src[0] and src[1], f32 [d, kv_heads, n]; src[2] is the table. dst is not written. */
void KERNEL(attention_append)(struct tensor *dst, int thread, int threads, void *layer) {
  const struct tensor *k = dst->src[0], *v = dst->src[1];
  const struct sequence *s = dst->src[2]->data, *end = s + dst->src[2]->ne[1];
  const int64_t d = k->ne[0], padded = padded_size(d);
  for (int64_t first = 0, task = 0; s < end; first += s->rows, s++) {
    for (int64_t head = 0; head < s->kv_heads; head++) {
      if (task++ % threads != thread) continue;
      for (int64_t row = 0; row < s->rows; row++) {
        const int64_t at = s->at + row;
        const char *from_k = (const char *)k->data + head * k->nb[1] + (first + row) * k->nb[2];
        const char *from_v = (const char *)v->data + head * v->nb[1] + (first + row) * v->nb[2];
        uint16_t *keys = keys_at(s, layer, head, d) + at / LANES * LANES * padded + at % LANES * PAIR;
        uint16_t *values = values_at(s, layer, head, d) + at / PAIR * PAIR * d + at % PAIR;
        for (int64_t i = 0; i < padded; i += LANES) {
          uint16_t x[LANES] = {0};
          if (i < d) narrow_store(x, floats_load(from_k + i * 4));
          for (int l = 0; l < LANES; l += PAIR) memcpy(keys + (i + l) * LANES, x + l, 2 * PAIR);
        }
        for (int64_t i = 0; i < d; i += LANES) {
          uint16_t x[LANES];
          narrow_store(x, floats_load(from_v + i * 4));
          for (int l = 0; l < LANES; l++) values[(i + l) * PAIR] = x[l];
        }
      }
    }
  }
}

/* The memory of one thread. */
struct scratch {
  int64_t *limits;            /* [TILE] number of keys that a row attends to; it never decreases from row to row */
  float *top, *sum, *factors; /* [TILE] largest score, sum of probabilities, factor of the last step for the sums */
  float *scores;              /* [TILE][BLOCK] */
  float *outputs;             /* [TILE][d] */
  uint32_t *queries;          /* [TILE][padded d / PAIR] */
  uint32_t *probabilities;    /* [TILE][BLOCK / PAIR] */
  uint32_t *masked;           /* [STEP][d] values, with zeros for keys that a row does not attend to */
  uint32_t *keys, *values;    /* [BLOCK][padded d] a converted block, if stored elements are f16 */
#if WHOLE_KEYS
  uint32_t *whole_queries;    /* [TILE][padded d / 2] */
  float *query_scales;        /* [TILE] */
  float *key_scales;          /* [BLOCK] */
#endif
};

/* Places the scratch of a thread at p. @returns its end */
static uintptr_t scratch_at(uintptr_t p, int64_t d, struct scratch *s) {
  const int64_t rows = TILE + ROWS_BEHIND, widened = PAIR == 1 ? BLOCK * padded_size(d) : 0;
#define TAKE(member, count) (s->member = (void *)p, p += ((count) * sizeof(*s->member) + 63) / 64 * 64)
  TAKE(limits, rows), TAKE(top, rows), TAKE(sum, rows), TAKE(factors, rows);
  TAKE(scores, rows * BLOCK), TAKE(outputs, rows * d);
  TAKE(queries, rows * padded_size(d) / PAIR), TAKE(probabilities, rows * BLOCK / PAIR);
  TAKE(masked, STEP * d), TAKE(keys, widened), TAKE(values, widened);
#if WHOLE_KEYS
  TAKE(whole_queries, rows * padded_size(d) / 2), TAKE(query_scales, rows), TAKE(key_scales, BLOCK);
#endif
  return p;
}

static int64_t scratch_bytes(int64_t d) {
  struct scratch s;
  return scratch_at(0, d, &s) + 64; /* 64 bytes for the alignment to a cache line */
}

/* Bytes of scratch of `attention` for each thread. */
int64_t KERNEL(attention_scratch)(int64_t d) { return scratch_bytes(d); }

/* Returns `count` stored elements as words. */
INLINE const uint32_t *words_of(const uint16_t *elements, int64_t count, uint32_t *memory) {
#if PAIR == 2
  (void)count, (void)memory;
  return (const uint32_t *)elements;
#else
  for (int64_t i = 0; i < count; i += LANES) floats_store(memory + i, floats_from_halves(elements + i));
  return memory;
#endif
}

/*
 * Turns PAIR vectors of scores into probabilities relative to the largest score. Probabilities after the first `left` are 0.
 * @returns `sum` plus the probabilities
 */
INLINE floats to_probabilities(const float *scores, int64_t left, floats top, uint32_t *probabilities, floats sum) {
  floats p[PAIR];
  UNROLL for (int j = 0; j < PAIR; j++) {
    const int64_t valid = left - j * LANES;
    p[j] = floats_exp2(floats_sub(floats_load(scores + j * LANES), top));
    if (valid < LANES) p[j] = floats_first(p[j], valid > 0 ? valid : 0, floats_zero());
    sum = floats_add(sum, p[j]);
  }
  words_store(probabilities, p);
  return sum;
}

/* Turns the first `count` scores of a row into probabilities relative to the new largest score, and fills the last step with zeros. */
static void softmax_step(const struct scratch *t, int64_t row, int64_t count) {
  const float *scores = t->scores + row * BLOCK;
  uint32_t *probabilities = t->probabilities + row * (BLOCK / PAIR);
  floats most = floats_set(t->top[row]), sum = floats_zero();
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) most = floats_max(floats_load(scores + i), most);
  if (i < count) most = floats_max(floats_first(floats_load(scores + i), count - i, floats_set(-INFINITY)), most);
  const float top = floats_largest(most);
  const floats tops = floats_set(top);
  for (i = 0; i + PAIR * LANES <= count; i += PAIR * LANES)
    sum = to_probabilities(scores + i, PAIR * LANES, tops, probabilities + i / PAIR, sum);
  if (i < count) sum = to_probabilities(scores + i, count - i, tops, probabilities + i / PAIR, sum);
  float factors[LANES];
  floats_store(factors, floats_exp2(floats_set(t->top[row] - top)));
  t->factors[row] = factors[0];
  t->top[row] = top;
  t->sum[row] = t->sum[row] * factors[0];
  t->sum[row] = t->sum[row] + floats_sum(sum);
}

/* outputs[row..row + rows) += probabilities[..][from, to) values[from, to), in words of keys. */
INLINE void add_values(const struct scratch *t, int64_t row, int64_t rows, const uint32_t *values, int64_t d,
                       int64_t from, int64_t to) {
  if (from == to) return;
  for (int64_t i = 0; i < d; i += VECTORS * LANES)
    product((int)rows, (int)least(VECTORS, (d - i) / LANES), t->probabilities + row * (BLOCK / PAIR) + from, BLOCK / PAIR,
            values + i, d, LANES, to - from, t->outputs + row * d + i, d, 1);
}

/* The same for rows of a group. Each row uses only the keys that it attends to in the block that begins at `start`. */
static void add_seen_values(const struct scratch *t, int64_t row, int64_t rows, int64_t start, const uint32_t *values,
                            int64_t d) {
  const int64_t step = STEP * PAIR, end = row + rows; /* keys in a step */
  const int64_t shared = least(t->limits[row] - start, BLOCK) / step * STEP;
  for (int64_t r = row; r < end; r++)
    for (int64_t i = 0; i < d; i += LANES) {
      float *o = t->outputs + r * d + i;
      floats_store(o, floats_mul(floats_load(o), floats_set(t->factors[r])));
    }
  add_values(t, row, rows, values, d, 0, shared);
  for (int64_t r = row, next; r < end; r = next) { /* rows with the same limit */
    for (next = r + 1; next < end && t->limits[next] == t->limits[r];) next++;
    const int64_t count = least(t->limits[r] - start, BLOCK), whole = count / step * STEP, left = count % step;
    add_values(t, r, next - r, values + shared * d, d, shared, whole);
    if (left == 0) continue;
    /* The memory after the last key may contain anything, also NaN. It must not count. */
    memset(t->masked, 0, STEP * d * sizeof(uint32_t));
    memcpy(t->masked, values + whole * d, (left + PAIR - 1) / PAIR * d * sizeof(uint32_t));
    for (int64_t i = 0; left % PAIR && i < d; i++) t->masked[left / PAIR * d + i] &= 0xffff;
    add_values(t, r, next - r, t->masked, d, whole, whole + STEP);
  }
}

#if WHOLE_KEYS

/* Corrects the scores of keys with a NaN or an infinity, whose scale is NaN. */
static void correct_scores(const struct scratch *t, int64_t first, int64_t rows, const uint16_t *block, int64_t start,
                           int64_t count, int64_t d) {
  const int64_t padded = padded_size(d);
  for (int64_t i = 0; i < count; i++) {
    if (!isnan(t->key_scales[i])) continue;
    const uint16_t *keys = block + i / LANES * LANES * padded;
    for (int64_t r = first; r < rows; r++)
      if (start + i < t->limits[r])
        t->scores[r * BLOCK + i] = float_score((const float *)t->queries + r * padded, keys, (int)(i % LANES), d);
  }
}

#endif

/* Scores of rows `first` to `rows` with the `count` keys of the block that begins at key `start`. */
static void score_block(const struct scratch *t, int64_t first, int64_t rows, const uint16_t *block, int64_t start,
                        int64_t count, int64_t d) {
  const int64_t padded = padded_size(d);
#if WHOLE_KEYS
  int some_bad = 0;
  for (int64_t i = 0; i < count; i += LANES)
    some_bad |= whole_keys(block + i * padded, d, t->keys + i * (d / 2), t->key_scales + i);
#else
  const int64_t steps = STEP > 1 ? padded / PAIR : d / PAIR;
  const uint32_t *k = words_of(block, (count + LANES - 1) / LANES * LANES * padded, t->keys);
#endif
  for (int64_t i = 0; i < count; i += VECTORS * LANES)
    for (int64_t r = first; r < rows; r += GROUP) {
      const int64_t some = least(GROUP, rows - r), seen = t->limits[r + some - 1] - start - i;
      if (seen <= 0) continue;
      const int vectors = (int)least(VECTORS, (seen + LANES - 1) / LANES);
      float *scores = t->scores + r * BLOCK + i;
#if WHOLE_KEYS
      whole_scores((int)some, vectors, t->whole_queries + r * (padded / 2), padded / 2, t->query_scales + r,
                   t->keys + i * (d / 2), t->key_scales + i, d / 2, scores, BLOCK);
#else
      product((int)some, vectors, t->queries + r * (padded / PAIR), padded / PAIR, k + i * (padded / PAIR), LANES,
              LANES * padded / PAIR, steps, scores, BLOCK, 0);
#endif
    }
#if WHOLE_KEYS
  if (some_bad) correct_scores(t, first, rows, block, start, count, d);
#endif
}

/* Processes all keys for the rows of a tile. */
static void attend(const struct scratch *t, int64_t rows, const uint16_t *keys, const uint16_t *values, int64_t d) {
  int64_t first = 0; /* the first row that attends to the block; all later rows do, too */
  for (int64_t start = 0; start < t->limits[rows - 1]; start += BLOCK) {
    while (t->limits[first] <= start) first++;
    const int64_t count = least(t->limits[rows - 1] - start, BLOCK);
    const uint32_t *v = words_of(values + start * d, count * d, t->values);
    score_block(t, first, rows, keys + start * padded_size(d), start, count, d);
    for (int64_t r = first; r < rows; r++) softmax_step(t, r, least(t->limits[r] - start, BLOCK));
    for (int64_t r = first; r < rows; r += GROUP) add_seen_values(t, r, least(GROUP, rows - r), start, v, d);
  }
}

/*
 * dst f32: the result [d, heads, n], then the scratch of all threads. src[0] is q, f32 [d, heads, n]. src[1] is the table. The
 * rows of a tile are the queries of heads that share keys and values: query 0 of each head, query 1 of each head, ...
 */
void KERNEL(attention)(struct tensor *dst, int thread, int threads, void *layer) {
  const struct tensor *q = dst->src[0];
  const struct sequence *s = dst->src[1]->data, *end = s + dst->src[1]->ne[1];
  const int64_t d = q->ne[0], heads = q->ne[1], padded = padded_size(d);
  float *result = dst->data;
  struct scratch t;
  scratch_at(((uintptr_t)(result + d * heads * q->ne[2]) + thread * scratch_bytes(d) + 63) / 64 * 64, d, &t);
  const floats scale = floats_set(1.44269504f / sqrtf((float)d)); /* softmax in base 2 */
  product_begin();
  for (int64_t first = 0, task = 0; s < end; first += s->rows, s++) {
    const int64_t shared = heads / s->kv_heads, all = s->rows * shared;
    for (int64_t head = 0; head < s->kv_heads; head++)
      for (int64_t start = 0; start < all; start += TILE) {
        if (task++ % threads != thread) continue;
        const int64_t rows = least(TILE, all - start);
        for (int64_t r = 0; r < rows; r++) {
          const int64_t row = (start + r) / shared, h = head * shared + (start + r) % shared;
          const char *from = (const char *)q->data + h * q->nb[1] + (first + row) * q->nb[2];
          for (int64_t i = 0; i < padded; i += PAIR * LANES) {
            floats x[PAIR];
            for (int64_t j = 0, at = i; j < PAIR; j++, at += LANES)
              x[j] = at < d ? floats_mul(scale, floats_load(from + at * 4)) : floats_zero();
            words_store(t.queries + (r * padded + i) / PAIR, x);
          }
#if WHOLE_KEYS
          t.query_scales[r] = whole_query((const float *)t.queries + r * padded, d, t.whole_queries + r * (padded / 2));
#endif
          for (int64_t i = 0; i < d; i += LANES) floats_store(t.outputs + r * d + i, floats_zero());
          t.limits[r] = s->keys ? s->keys : s->at + row + 1;
          t.top[r] = -INFINITY;
          t.sum[r] = 0;
        }
        attend(&t, rows, keys_at(s, layer, head, d), values_at(s, layer, head, d), d);
        for (int64_t r = 0; r < rows; r++) {
          const int64_t row = (start + r) / shared, h = head * shared + (start + r) % shared;
          float *to = result + ((first + row) * heads + h) * d;
          for (int64_t i = 0; i < d; i += LANES)
            floats_store(to + i, floats_div(floats_load(t.outputs + r * d + i), floats_set(t.sum[r])));
        }
      }
  }
  product_end();
}
