/*
 * context.h — the ground that every other handle is made from.
 *
 * A context carries the allocator, the log callback, the number of threads and
 * the limit on memory. Several contexts in one process are independent; there is
 * no library-wide setting.
 */
#ifndef FINETUNE_CONTEXT_H
#define FINETUNE_CONTEXT_H

#include <finetune/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_context fine_context;

struct fine_context_options {
    size_t struct_size;
    /* All three or none; none: the C library's. Must be usable from any thread. */
    void *(*allocate)(size_t bytes, void *user);
    void *(*reallocate)(void *block, size_t bytes, void *user);
    void (*release)(void *block, void *user);
    void *allocator_user;
    /* NULL: silence. */
    fine_log_fn log;
    void *log_user;
    int64_t memory_limit;   /* bytes this context may hold at once; 0: no limit */
    int32_t log_level;      /* the most talkative level wanted; default FINE_LOG_INFO */
    int32_t n_threads;      /* 0: all processors that this process may use; at most 256 */
};

/**
 * Fills in the defaults, for the part of the struct that both sides know.
 *
 * @param options not NULL
 * @param size    sizeof *options, at the caller
 * @since 0.1
 */
FINE_API void fine_context_options_init(struct fine_context_options *options, size_t size);

/**
 * Makes a context. Starts no thread: workers start with the first work.
 *
 * @param out     receives the context, to be freed with fine_context_free();
 *                untouched on error
 * @param options NULL for the defaults
 * @return FINE_OK; FINE_EINVAL: out is NULL, an absurd struct_size, a negative
 *         number, or only some of the allocator's functions; FINE_EABI: fields of
 *         a newer library are in use; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_context_new(fine_context **out, const struct fine_context_options *options);

/**
 * Gives the caller's hold on a context back. Handles made from it stay usable;
 * the context goes with the last of them. NULL is fine.
 * @since 0.1
 */
FINE_API void fine_context_free(fine_context *context);

/** The number of threads that work, the caller's included. @since 0.1 */
FINE_API int32_t fine_context_n_threads(const fine_context *context);

/** Bytes held now through the context's allocator. @since 0.1 */
FINE_API int64_t fine_context_used_bytes(const fine_context *context);

/** The most bytes ever held at once. @since 0.1 */
FINE_API int64_t fine_context_peak_bytes(const fine_context *context);

/** How often the allocator was called to allocate or grow, since the start. @since 0.1 */
FINE_API int64_t fine_context_allocations(const fine_context *context);

#ifdef __cplusplus
}
#endif
#endif
