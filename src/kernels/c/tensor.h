/*
 * The input of a custom node of a ggml graph: its own tensor, the tensors that it reads, and its share of the work.
 * ggml calls the same function on every thread of its pool, and waits for all of them after the node.
 */
#ifndef COGVLM2_TENSOR_H
#define COGVLM2_TENSOR_H

#include <stdint.h>
#include <stddef.h>

/* `struct ggml_tensor` of ggml 0.23 to 0.25. The loader in TypeScript checks the version. */
struct tensor {
  int32_t type;
  void *buffer;
  int64_t ne[4]; /* sizes of the axes, fastest axis first */
  size_t nb[4];  /* strides of the axes, in bytes */
  int32_t op;
  int32_t op_params[16];
  int32_t flags;
  struct tensor *src[10];
  struct tensor *view_src;
  size_t view_offs;
  void *data;
  char name[64];
  void *extra;
};

_Static_assert(offsetof(struct tensor, ne) == 16, "ne");
_Static_assert(offsetof(struct tensor, nb) == 48, "nb");
_Static_assert(offsetof(struct tensor, src) == 152, "src");
_Static_assert(offsetof(struct tensor, data) == 248, "data");

/* Exports a function from the library. */
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/*
 * `void KERNEL(name)(struct tensor *dst, int thread, int threads, void *user)` is the function of a node. Each file is compiled
 * once for each instruction set. The name of the set (VARIANT) is added to the function's name: name_avx512.
 */
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define KERNEL(name) EXPORT JOIN(name, VARIANT)

#define INLINE static inline __attribute__((always_inline))

/* Unrolls the next loop. Accumulators stay in registers only if their index is a constant. */
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Index of the first of `count` items for a thread. The thread's items end before `share(count, thread + 1, threads)`. */
INLINE int64_t share(int64_t count, int thread, int threads) { return count * thread / threads; }

/* Number of rows of a tensor, over all axes. */
INLINE int64_t rows_of(const struct tensor *t) { return t->ne[1] * t->ne[2] * t->ne[3]; }

/* Row `row` of `rows_of(t)`. The tensor may have any strides. */
INLINE void *row_at(const struct tensor *t, int64_t row) {
  int64_t i1 = row % t->ne[1], i2 = row / t->ne[1] % t->ne[2], i3 = row / (t->ne[1] * t->ne[2]);
  return (char *)t->data + i1 * t->nb[1] + i2 * t->nb[2] + i3 * t->nb[3];
}

#endif
