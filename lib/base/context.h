/*
 * context.h — what everything is made from: the allocator, the log, the worker
 * pool, the table of system calls, and the account of memory.
 *
 * Handles hold a reference, so a context may be freed before what was made from
 * it. The account (used, peak) is atomic: sessions in several threads share one
 * context.
 */
#ifndef FINE__CONTEXT_H
#define FINE__CONTEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include <finetune/context.h>

struct fine__pool;
struct fine__io;

struct fine_context {
    atomic_int references;
    struct fine_context_options options;   /* as given, defaults filled in */
    bool own_allocator;                    /* malloc of the C library: may be advised about pages */
    int n_threads;
    atomic_llong used_bytes, peak_bytes, n_allocations;
    void *blas;                            /* tensor/gemm.c: kernels for this processor; NULL: BLIS's own */
    _Atomic(struct fine__pool *) pool;     /* made at the first parallel call */
    const struct fine__io *io;             /* the system's; tests put their own */
};

/* Options are complete (fine__context_defaults) and within their ranges. The
 * context itself and its pool aren't part of the account, so that a context
 * whose handles are all gone holds 0 bytes. */
void fine__context_defaults(struct fine_context_options *options);
int fine__context_new(fine_context **out, const struct fine_context_options *options);

fine_context *fine__context_ref(fine_context *ctx);
void fine__context_unref(fine_context *ctx);

/* Tells the log callback, if there is one and it wants the level. */
void fine__log(fine_context *ctx, int level, const char *format, ...) FINE__PRINTF(3, 4);
bool fine__log_wanted(const fine_context *ctx, int level);

#endif
