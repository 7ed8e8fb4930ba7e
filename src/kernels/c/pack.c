/* Packs weights, row by row as they are stored in a file, into the panels of packed.h. */
#include <string.h>
#include "packed.h"

/* One of ggml's: `count` elements of a stored row as floats. */
typedef void (*to_floats)(const void *stored, float *floats, int64_t count);

struct stored {
  const char *data;
  size_t row_bytes;
  int64_t k, columns;
};

static const void *stored_at(const struct stored *s, int64_t column, int64_t k) {
  return s->data + column * s->row_bytes + k * s->row_bytes / s->k;
}

/* 64 columns by up to 256 of k, each rounded to bytes. */
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

/* Any type that ggml turns into floats (`convert` NULL: they are floats). k is a multiple of 32. */
EXPORT void JOIN(pack_bytes, VARIANT)(const void *data, size_t row_bytes, int64_t k, int64_t columns, to_floats convert,
                                      void *out) {
  struct stored s = {data, row_bytes, k, columns};
  struct packed header = {.kind = WHOLE_BYTES, .zero = BYTE_ZERO};
  memcpy(out, &header, sizeof header);
  char *to = (char *)out + sizeof header;
  int64_t padded = padded_to_64(k);
  for (int64_t panel = 0; panel * PANEL < columns; panel++)
    for (int64_t at = 0; at < padded; at += GROUP) {
      int64_t count = padded - at < GROUP ? padded - at : GROUP;
      pack_group(&s, convert, panel, at, count, to);
      to += panel_bytes(WHOLE_BYTES, count);
    }
}

/* The value of each nibble in IQ4_NL (ggml's kvalues_iq4nl). In q4_0 it is the nibble minus 8, in q4_K the nibble. */
static const int8_t values_iq4_nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Numbers of ggml's types. */
enum { Q4_0 = 2, Q4_K = 12, IQ4_NL = 20 };

static struct packed nibbles_header(int type) {
  struct packed header = {.kind = type == Q4_K ? NIBBLES_MIN : NIBBLES};
  header.narrow = type != IQ4_NL;
  header.zero = type == Q4_K ? 0 : type == Q4_0 ? 8 : NIBBLE_ZERO;
  for (int i = 0; i < 16; i++) header.table[i] = type == IQ4_NL ? values_iq4_nl[i] + header.zero : i;
  return header;
}

/* The nibbles of 32 elements of one column, two in each byte of `stored`, element k beside element k + 16. */
static void place_halves(const uint8_t *stored, int column, char *block) {
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

/* The low (shift 0) or high (shift 4) nibbles of 32 bytes. */
static void place_nibbles(const uint8_t *stored, int shift, int column, char *block) {
  for (int j = 0; j < 4; j++) {
    uint32_t even, odd;
    memcpy(&even, stored + 8 * j, 4);
    memcpy(&odd, stored + 8 * j + 4, 4);
    uint32_t both = (even >> shift & 0x0f0f0f0f) | (odd >> shift & 0x0f0f0f0f) << 4;
    memcpy(block + (j * PANEL + column) * 4, &both, 4);
  }
}

INLINE float from_half(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }
INLINE uint16_t to_half(float x) { return (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), 0)); }

/* A block of q4_0 or IQ4_NL: f16 scale, 16 bytes. */
static void place_small_block(const uint8_t *stored, int column, char *block) {
  place_halves(stored + 2, column, block);
  memcpy(block + NIBBLE_BYTES + column * 2, stored, 2);
}

/* The 6-bit scale and minimum of block b of a super-block of q4_K, from its 12 bytes. */
INLINE void scale_and_min(const uint8_t *s, int b, int *scale, int *min) {
  *scale = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | (s[b - 4] >> 6) << 4;
  *min = b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | (s[b] >> 6) << 4;
}

/* Block b of a super-block of q4_K: f16 scale and minimum, 12 bytes of blocks' scales, 128 bytes of nibbles. */
static void place_large_block(const uint8_t *stored, int b, int column, char *block) {
  uint16_t d, dmin;
  memcpy(&d, stored, 2);
  memcpy(&dmin, stored + 2, 2);
  int scale, min;
  scale_and_min(stored + 4, b, &scale, &min);
  place_nibbles(stored + 16 + b / 2 * 32, b % 2 * 4, column, block);
  uint16_t halves[2] = {to_half(from_half(d) * scale), to_half(from_half(dmin) * min)};
  memcpy(block + NIBBLE_BYTES + column * 2, halves, 2);
  memcpy(block + NIBBLE_BYTES + PANEL * 2 + column * 2, halves + 1, 2);
}

/* Weights of q4_0, q4_K or IQ4_NL, nibble for nibble. */
EXPORT void JOIN(pack_nibbles, VARIANT)(const void *data, size_t row_bytes, int64_t k, int64_t columns, int type,
                                        void *out) {
  struct stored s = {data, row_bytes, k, columns};
  struct packed header = nibbles_header(type);
  memcpy(out, &header, sizeof header);
  char *block = (char *)out + sizeof header;
  for (int64_t panel = 0; panel * PANEL < columns; panel++)
    for (int64_t at = 0; at < padded_to_64(k); at += BLOCK, block += block_bytes(header.kind)) {
      memset(block, 0, block_bytes(header.kind)); /* what is padded has the scale 0 */
      for (int c = 0; c < PANEL && panel * PANEL + c < columns && at < k; c++) {
        if (type == Q4_K) place_large_block(stored_at(&s, panel * PANEL + c, at / 256 * 256), at % 256 / BLOCK, c, block);
        else place_small_block(stored_at(&s, panel * PANEL + c, at), c, block);
      }
    }
}
