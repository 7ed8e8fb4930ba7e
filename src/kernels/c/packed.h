/*
 * Packed weights [k, columns]: a header, then panels of 64 columns, one after the other. A panel is cut along k into
 * groups of 256; the last one may be shorter, a multiple of 64. Four elements of k lie next to
 * each other for each column, because one instruction multiplies and adds four bytes: [k / 4][64 columns][4].
 *
 *   WHOLE_BYTES   a group: [k / 4][64][4] bytes, f32 scale[64]
 *   NIBBLES       a group is blocks of 32: 1,024 bytes of nibbles, f16 scale[64].
 *                 Byte [j][64][4] holds elements 8j to 8j + 3 of k in its low and 8j + 4 to 8j + 7 in its high half.
 *   NIBBLES_MIN   the same, then f16 min[64]: weight = scale * value - min
 *
 * Nibbles are indices of `table`. Bytes have `zero` added, because some instructions want one factor unsigned.
 */
#ifndef COGVLM2_PACKED_H
#define COGVLM2_PACKED_H

#include "activations.h"

#define PANEL 64

enum kind { WHOLE_BYTES, NIBBLES, NIBBLES_MIN };

struct packed {
  int32_t kind;
  int32_t zero;
  /* Whether all values are 0 to 15, so that sums of eight products fit 16 bits. */
  int32_t narrow;
  int32_t unused;
  uint8_t table[16];
  uint8_t padding[32];
};

_Static_assert(sizeof(struct packed) == 64, "header");

INLINE int64_t padded_to_64(int64_t k) { return (k + 63) / 64 * 64; }

#define NIBBLE_BYTES (BLOCK * PANEL / 2)

INLINE size_t block_bytes(int kind) { return NIBBLE_BYTES + (kind == NIBBLES_MIN ? 4 : 2) * PANEL; }

/* Bytes of `k` elements (a group or a whole panel of `padded`) of 64 columns. */
INLINE size_t panel_bytes(int kind, int64_t k) {
  if (kind == WHOLE_BYTES) return k * PANEL + groups_of(k) * PANEL * sizeof(float);
  return k / BLOCK * block_bytes(kind);
}

/* What is added to weights in this variant: VNNI multiplies unsigned bytes; AVX2 and AMX, which is for whole bytes only, signed ones. */
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
