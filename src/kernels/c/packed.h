/*
 * Packed weights [k, columns]: a header, then panels of 64 columns. A panel is split along k into groups of 256. The last group may be
 * shorter: a multiple of 64. Four elements of k of a column are adjacent, because one instruction multiplies and adds four bytes:
 * [k / 4][64 columns][4].
 *
 *   WHOLE_BYTES   a group: [k / 4][64][4] bytes, f32 scale[64]
 *   NIBBLES       a group of blocks of 32: f16 scale[64]; int8 block_scale[blocks][64]; nibbles [blocks][4][64][4].
 *                 A byte holds elements 8j to 8j + 3 of k in its low and 8j + 4 to 8j + 7 in its high half.
 *                 weight = scale * unit * block_scale * value
 *   NIBBLES_MIN   f16 scale[64], min[64]; int8 block_scale[blocks][64], block_min[blocks / 2][64][2]; the same nibbles.
 *                 weight = scale * unit * block_scale * value - min * block_min
 *
 * The scales of blocks are integers, so that the products of a group are added as integers: exactly, in any order. The value of a
 * nibble is its entry of `table` minus `zero`. Some instructions need `zero`, because one of their factors is unsigned. BYTE_ZERO is
 * added to bytes for the same reason.
 */
#ifndef COGVLM2_PACKED_H
#define COGVLM2_PACKED_H

#include "activations.h"

#define PANEL 64

enum kind { WHOLE_BYTES, NIBBLES, NIBBLES_MIN };

struct packed {
  int32_t kind;
  int32_t zero;
  /* True if all values are 0 to 15, so that sums of eight products fit into 16 bits. */
  int32_t narrow;
  float unit;
  uint8_t table[16];
  uint8_t padding[32];
};

_Static_assert(sizeof(struct packed) == 64, "header");

INLINE int64_t padded_to_64(int64_t k) { return (k + 63) / 64 * 64; }

#define NIBBLE_BYTES (BLOCK * PANEL / 2) /* bytes of the nibbles of a block in all columns */

/* Bytes of the scales of a group. They are before its nibbles. */
INLINE size_t scale_bytes(int kind, int64_t k) { return (kind == NIBBLES_MIN ? 2 : 1) * (2 + k / BLOCK) * PANEL; }

/* Bytes of `k` elements (at most a group) of 64 columns. */
INLINE size_t group_bytes(int kind, int64_t k) {
  return kind == WHOLE_BYTES ? (k + sizeof(float)) * PANEL : k / BLOCK * NIBBLE_BYTES + scale_bytes(kind, k);
}

/* Bytes of a whole panel; k is a multiple of 64. */
INLINE size_t panel_bytes(int kind, int64_t k) {
  return k / GROUP * group_bytes(kind, GROUP) + (k % GROUP ? group_bytes(kind, k % GROUP) : 0);
}

/* This variant adds it to the bytes of weights: VNNI multiplies unsigned bytes; AVX2 and AMX multiply signed ones. */
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define NIBBLE_ZERO 128
#else
#define NIBBLE_ZERO 0
#endif
#ifdef __AMX_INT8__
#define BYTE_ZERO 0
#else
#define BYTE_ZERO NIBBLE_ZERO
#endif

#endif
