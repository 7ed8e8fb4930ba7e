import koffi from 'koffi';

/**
 * Every native function that this project calls, with its C signature. `void *` stands for all of ggml's opaque
 * handles. Sizes and offsets are far below 2^53, so they are JavaScript numbers.
 */

/** An opaque native handle: koffi hands pointers over as bigint. */
export type Pointer = bigint;

koffi.struct('ggml_init_params', { mem_size: 'size_t', mem_buffer: 'void *', no_alloc: 'bool' });

const base = {
  ggml_version: 'const char *ggml_version()',
  ggml_commit: 'const char *ggml_commit()',
  ggml_log_set: 'void ggml_log_set(void *callback, void *user)',
  ggml_blck_size: 'int64_t ggml_blck_size(int type)',
  ggml_type_size: 'size_t ggml_type_size(int type)',
  ggml_bf16_to_fp32_row: 'void ggml_bf16_to_fp32_row(void *from, void *to, int64_t count)',
  ggml_fp16_to_fp32_row: 'void ggml_fp16_to_fp32_row(void *from, void *to, int64_t count)',
  ggml_fp32_to_bf16_row: 'void ggml_fp32_to_bf16_row(void *from, void *to, int64_t count)',
  ggml_quantize_chunk:
    'size_t ggml_quantize_chunk(int type, void *from, void *to, int64_t start, int64_t rows, int64_t row_length, void *importance)',
  ggml_validate_row_data: 'bool ggml_validate_row_data(int type, void *data, size_t size)',
  ggml_tensor_overhead: 'size_t ggml_tensor_overhead()',
  ggml_graph_overhead_custom: 'size_t ggml_graph_overhead_custom(size_t size, bool grads)',
  ggml_init: 'void *ggml_init(ggml_init_params params)',
  ggml_free: 'void ggml_free(void *ctx)',
  ggml_get_data: 'void *ggml_get_data(void *tensor)',
  ggml_new_tensor_4d:
    'void *ggml_new_tensor_4d(void *ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)',
  ggml_set_input: 'void ggml_set_input(void *tensor)',
  ggml_set_output: 'void ggml_set_output(void *tensor)',
  ggml_new_graph_custom: 'void *ggml_new_graph_custom(void *ctx, size_t size, bool grads)',
  ggml_build_forward_expand: 'void ggml_build_forward_expand(void *graph, void *tensor)',
  ggml_add: 'void *ggml_add(void *ctx, void *a, void *b)',
  ggml_mul: 'void *ggml_mul(void *ctx, void *a, void *b)',
  ggml_mul_mat: 'void *ggml_mul_mat(void *ctx, void *a, void *b)',
  ggml_flash_attn_ext_set_prec: 'void ggml_flash_attn_ext_set_prec(void *tensor, int precision)',
  ggml_norm: 'void *ggml_norm(void *ctx, void *a, float eps)',
  ggml_rms_norm: 'void *ggml_rms_norm(void *ctx, void *a, float eps)',
  ggml_gelu: 'void *ggml_gelu(void *ctx, void *a)',
  ggml_gelu_erf: 'void *ggml_gelu_erf(void *ctx, void *a)',
  ggml_swiglu_split: 'void *ggml_swiglu_split(void *ctx, void *gate, void *up)',
  ggml_get_rows: 'void *ggml_get_rows(void *ctx, void *a, void *rows)',
  ggml_set_rows: 'void *ggml_set_rows(void *ctx, void *to, void *from, void *rows)',
  ggml_cpy: 'void *ggml_cpy(void *ctx, void *from, void *to)',
  ggml_cast: 'void *ggml_cast(void *ctx, void *a, int type)',
  ggml_cont: 'void *ggml_cont(void *ctx, void *a)',
  ggml_concat: 'void *ggml_concat(void *ctx, void *a, void *b, int dim)',
  ggml_reshape_4d:
    'void *ggml_reshape_4d(void *ctx, void *a, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)',
  ggml_view_4d:
    'void *ggml_view_4d(void *ctx, void *a, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3, size_t nb1, size_t nb2, size_t nb3, size_t offset)',
  ggml_permute: 'void *ggml_permute(void *ctx, void *a, int axis0, int axis1, int axis2, int axis3)',
  ggml_rope_ext:
    'void *ggml_rope_ext(void *ctx, void *a, void *positions, void *factors, int dims, int mode, int n_ctx_orig, float base, float scale, float ext_factor, float attn_factor, float beta_fast, float beta_slow)',
  ggml_custom_4d:
    'void *ggml_custom_4d(void *ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3, void **args, int n_args, void *fun, int n_tasks, void *user)',
  ggml_flash_attn_ext:
    'void *ggml_flash_attn_ext(void *ctx, void *q, void *k, void *v, void *mask, float scale, float max_bias, float softcap)',
  ggml_threadpool_params_init: 'void ggml_threadpool_params_init(void *params, int threads)',
  ggml_backend_free: 'void ggml_backend_free(void *backend)',
  ggml_backend_buffer_free: 'void ggml_backend_buffer_free(void *buffer)',
  ggml_backend_buffer_clear: 'void ggml_backend_buffer_clear(void *buffer, uint8_t value)',
  ggml_backend_buffer_set_usage: 'void ggml_backend_buffer_set_usage(void *buffer, int usage)',
  ggml_backend_buffer_get_size: 'size_t ggml_backend_buffer_get_size(void *buffer)',
  ggml_backend_tensor_set:
    'void ggml_backend_tensor_set(void *tensor, void *data, size_t offset, size_t size)',
  ggml_backend_tensor_get:
    'void ggml_backend_tensor_get(void *tensor, void *data, size_t offset, size_t size)',
  ggml_backend_tensor_alloc: 'int ggml_backend_tensor_alloc(void *buffer, void *tensor, void *address)',
  ggml_backend_buft_name: 'const char *ggml_backend_buft_name(void *type)',
  ggml_backend_alloc_ctx_tensors_from_buft:
    'void *ggml_backend_alloc_ctx_tensors_from_buft(void *ctx, void *buft)',
  ggml_backend_dev_name: 'const char *ggml_backend_dev_name(void *device)',
  ggml_backend_dev_description: 'const char *ggml_backend_dev_description(void *device)',
  ggml_backend_dev_memory:
    'void ggml_backend_dev_memory(void *device, _Out_ size_t *free, _Out_ size_t *total)',
  ggml_backend_dev_type: 'int ggml_backend_dev_type(void *device)',
  ggml_backend_dev_backend_reg: 'void *ggml_backend_dev_backend_reg(void *device)',
  ggml_backend_dev_supports_op: 'bool ggml_backend_dev_supports_op(void *device, void *tensor)',
  ggml_backend_dev_init: 'void *ggml_backend_dev_init(void *device, const char *params)',
  ggml_backend_dev_buffer_type: 'void *ggml_backend_dev_buffer_type(void *device)',
  ggml_backend_cpu_buffer_from_ptr: 'void *ggml_backend_cpu_buffer_from_ptr(void *address, size_t size)',
  ggml_backend_reg_get_proc_address: 'void *ggml_backend_reg_get_proc_address(void *reg, const char *name)',
  ggml_backend_sched_new:
    'void *ggml_backend_sched_new(void **backends, void **bufts, int count, size_t graph_size, bool parallel, bool op_offload)',
  ggml_backend_sched_free: 'void ggml_backend_sched_free(void *sched)',
  ggml_backend_sched_reset: 'void ggml_backend_sched_reset(void *sched)',
  ggml_backend_sched_alloc_graph: 'bool ggml_backend_sched_alloc_graph(void *sched, void *graph)',
  ggml_backend_sched_graph_compute: 'int ggml_backend_sched_graph_compute(void *sched, void *graph)',
} as const;

/** The device registry is in a second library, which finds and loads the device libraries. */
const registry = {
  ggml_backend_load_all_from_path: 'void ggml_backend_load_all_from_path(const char *directory)',
  ggml_backend_dev_count: 'size_t ggml_backend_dev_count()',
  ggml_backend_dev_get: 'void *ggml_backend_dev_get(size_t index)',
} as const;

export const signatures = { base, registry };

export type FunctionName = keyof typeof base | keyof typeof registry;
