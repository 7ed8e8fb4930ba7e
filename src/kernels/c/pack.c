/* Packs weights, which a file stores row by row, into the panels of packed.h. */
#include <string.h>
#include "packed.h"

/* A function of ggml that converts `count` elements of a stored row to floats. */
typedef void (*to_floats)(const void *stored, float *floats, int64_t count);

struct stored {
  const char *data;
  size_t row_bytes;
  int64_t k, columns;
};

static const void *stored_at(const struct stored *s, int64_t column, int64_t k) {
  return s->data + column * s->row_bytes + k * s->row_bytes / s->k;
}

/* Rounds 64 columns of up to 256 elements of k to bytes. */
static void pack_group(const struct stored *s, to_floats convert, int64_t panel, int64_t at, int64_t count, char *out) {
  float *scale = (float *)(out + count * PANEL);
  const uint32_t zero = BYTE_ZERO * 0x01010101u;
  for (int c = 0; c < PANEL; c++) {
    float floats[GROUP] = {0};
    int8_t bytes[GROUP];
    int64_t column = panel * PANEL + c, real = s->k - at < GROUP ? s->k - at : GROUP;
    if (column < s->columns) {
      if (convert) convert(stored_at(s, column, at), floats, real);
      else memcpy(floats, stored_at(s, column, at), real * sizeof(float));
    }
    scale[c] = round_group(floats, bytes);
    for (int64_t step = 0; step < count / 4; step++) {
      uint32_t four;
      memcpy(&four, bytes + 4 * step, 4);
      four ^= zero;
      memcpy(out + (step * PANEL + c) * 4, &four, 4);
    }
  }
}

/* Packs any type that ggml can convert to floats. `convert` is NULL for f32. k is a multiple of 32. */
EXPORT void JOIN(pack_bytes, VARIANT)(const void *data, size_t row_bytes, int64_t k, int64_t columns, to_floats convert,
                                      void *out) {
  struct stored s = {data, row_bytes, k, columns};
  struct packed header = {.kind = WHOLE_BYTES, .zero = BYTE_ZERO};
  memcpy(out, &header, sizeof header);
  char *to = (char *)out + sizeof header;
  int64_t padded = padded_to_64(k);
  for (int64_t panel = 0; panel * PANEL < columns; panel++)
    for (int64_t at = 0; at < padded; at += GROUP) {
      int64_t count = least(padded - at, GROUP);
      pack_group(&s, convert, panel, at, count, to);
      to += group_bytes(WHOLE_BYTES, count);
    }
}

/* The values of nibbles in IQ4_NL (ggml's kvalues_iq4nl). In q4_0 the value is the nibble minus 8, in q4_K the nibble. */
static const int8_t values_iq4_nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* ggml's numbers of the types. */
enum { Q4_0 = 2, Q4_K = 12, IQ4_NL = 20 };

static struct packed nibbles_header(int type) {
  struct packed header = {.kind = type == Q4_K ? NIBBLES_MIN : NIBBLES, .unit = type == Q4_K ? 1.f : -1.f / 128};
  header.narrow = type != IQ4_NL;
  header.zero = type == Q4_K ? 0 : type == Q4_0 ? 8 : NIBBLE_ZERO;
  for (int i = 0; i < 16; i++) header.table[i] = type == IQ4_NL ? values_iq4_nl[i] + header.zero : i;
  return header;
}

/* Packs the nibbles of 32 elements of one column. A byte of `stored` has elements k and k + 16. */
static void place_halves(const uint8_t *stored, int column, uint8_t *block) {
  for (int j = 0; j < 2; j++) {
    uint32_t even, odd;
    memcpy(&even, stored + 8 * j, 4);
    memcpy(&odd, stored + 8 * j + 4, 4);
    uint32_t low = (even & 0x0f0f0f0f) | (odd & 0x0f0f0f0f) << 4;
    uint32_t high = (even >> 4 & 0x0f0f0f0f) | (odd & 0xf0f0f0f0);
    memcpy(block + (j * PANEL + column) * 4, &low, 4);
    memcpy(block + ((j + 2) * PANEL + column) * 4, &high, 4);
  }
}

/* Returns the low (shift 0) or high (shift 4) nibbles of 32 bytes. */
static void place_nibbles(const uint8_t *stored, int shift, int column, uint8_t *block) {
  for (int j = 0; j < 4; j++) {
    uint32_t even, odd;
    memcpy(&even, stored + 8 * j, 4);
    memcpy(&odd, stored + 8 * j + 4, 4);
    uint32_t both = (even >> shift & 0x0f0f0f0f) | (odd >> shift & 0x0f0f0f0f) << 4;
    memcpy(block + (j * PANEL + column) * 4, &both, 4);
  }
}

INLINE float from_half(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }
INLINE uint16_t half_at(const uint8_t *stored) { return (uint16_t)(stored[0] | stored[1] << 8); }

/* One group of packed nibbles. */
struct group {
  uint16_t *scale, *min;             /* [64] */
  int8_t (*block_scale)[PANEL];      /* [blocks][64] */
  uint8_t (*block_min)[PANEL][2];    /* [blocks / 2][64][2] */
  uint8_t (*nibbles)[NIBBLE_BYTES];  /* [blocks] */
};

static struct group group_at(uint8_t *out, int kind, int64_t k) {
  struct group g = {.scale = (uint16_t *)out, .min = (uint16_t *)out + PANEL};
  g.block_scale = (int8_t (*)[PANEL])(out + (kind == NIBBLES_MIN ? 4 : 2) * PANEL);
  g.block_min = (uint8_t (*)[PANEL][2])(g.block_scale + k / BLOCK);
  g.nibbles = (uint8_t (*)[NIBBLE_BYTES])(out + scale_bytes(kind, k));
  return g;
}

/*
 * Packs blocks of q4_0 or IQ4_NL: f16 scale, 16 bytes. Their scales become integers from -128 to 127. The largest scale becomes -128.
 * The error is at most 0.4% of the largest scale, or 0.8% if a scale with the other sign is as large. Equal scales have no error.
 */
static void place_small_blocks(const uint8_t *stored, int64_t blocks, int column, struct group g) {
  const int stored_bytes = 18;
  uint16_t largest = 0;
  for (int64_t b = 0; b < blocks; b++) {
    uint16_t scale = half_at(stored + b * stored_bytes);
    if ((scale & 0x7fff) > (largest & 0x7fff)) largest = scale;
  }
  g.scale[column] = largest;
  /* 0 times an infinity or a NaN is NaN, so the whole group becomes NaN. */
  const int finite = (largest & 0x7fff) < 0x7c00;
  const float inverse = finite && (largest & 0x7fff) ? -128 / from_half(largest) : 0;
  for (int64_t b = 0; b < blocks; b++, stored += stored_bytes) {
    const int scale = finite ? (int)__builtin_rintf(from_half(half_at(stored)) * inverse) : 0;
    g.block_scale[b][column] = (int8_t)(scale > 127 ? 127 : scale);
    place_halves(stored + 2, column, g.nibbles[b]);
  }
}

/* Packs a super-block of q4_K: f16 scale and minimum, 12 bytes of scales and minimums of blocks (6 bits each), 128 bytes of nibbles. */
static void place_super_block(const uint8_t *stored, int column, struct group g) {
  g.scale[column] = half_at(stored);
  g.min[column] = half_at(stored + 2);
  const uint8_t *s = stored + 4;
  for (int b = 0; b < BLOCKS; b++) {
    g.block_scale[b][column] = (int8_t)(b < 4 ? s[b] & 63 : (s[b + 4] & 15) | (s[b - 4] >> 6) << 4);
    g.block_min[b / 2][column][b % 2] = b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | (s[b] >> 6) << 4;
    place_nibbles(stored + 16 + b / 2 * 32, b % 2 * 4, column, g.nibbles[b]);
  }
}

/* Packs weights of q4_0, q4_K or IQ4_NL. All nibbles keep their values. */
EXPORT void JOIN(pack_nibbles, VARIANT)(const void *data, size_t row_bytes, int64_t k, int64_t columns, int type,
                                        void *out) {
  struct stored s = {data, row_bytes, k, columns};
  struct packed header = nibbles_header(type);
  memcpy(out, &header, sizeof header);
  uint8_t *to = (uint8_t *)out + sizeof header;
  for (int64_t panel = 0; panel * PANEL < columns; panel++)
    for (int64_t at = 0; at < padded_to_64(k); at += GROUP) {
      const int64_t length = least(padded_to_64(k) - at, GROUP), size = group_bytes(header.kind, length);
      const struct group g = group_at(to, header.kind, length);
      memset(to, 0, size); /* padding has the scale 0 */
      for (int c = 0; c < PANEL && panel * PANEL + c < columns; c++) {
        const uint8_t *from = stored_at(&s, panel * PANEL + c, at);
        if (type == Q4_K) place_super_block(from, c, g);
        else place_small_blocks(from, least(k - at, GROUP) / BLOCK, c, g);
      }
      to += size;
    }
}
