/*
 * context.c — the border of base/context.c: what a caller says is checked here.
 */
#include <assert.h>

#include <finetune/context.h>

#include "api/options.h"
#include "base/context.h"
#include "tensor/gemm.h"

static_assert(offsetof(struct fine_context_options, memory_limit) == 7 * sizeof(void *),
              "fields never move");

/* The struct as it was in 0.1. */
static const size_t v1_size =
    offsetof(struct fine_context_options, n_threads) + sizeof(int32_t);

void
fine_context_options_init(struct fine_context_options *options, size_t size)
{
    struct fine_context_options defaults;

    fine__context_defaults(&defaults);
    options_out(options, size, &defaults, sizeof defaults);
}

static int
check(const struct fine_context_options *o)
{
    const int n_hooks = (o->allocate != NULL) + (o->reallocate != NULL) + (o->release != NULL);

    if (n_hooks != 0 && n_hooks != 3)
        return fine__fail(FINE_EINVAL, "fine_context_options: allocate, reallocate and release go "
                          "together; set all three or none");
    if (o->memory_limit < 0)
        return fine__fail(FINE_EINVAL, "fine_context_options: memory_limit is %lld; give a number "
                          "of bytes, or 0 for no limit", (long long)o->memory_limit);
    if (o->n_threads < 0 || o->n_threads > 256)
        return fine__fail(FINE_EINVAL, "fine_context_options: n_threads is %d; give 1 to 256, or 0 "
                          "for all processors", (int)o->n_threads);
    if (o->log_level < 0 || o->log_level > FINE_LOG_DEBUG)
        return fine__fail(FINE_EINVAL, "fine_context_options: log_level is %d; use one of "
                          "FINE_LOG_…", (int)o->log_level);
    return 0;
}

int
fine_context_new(fine_context **out, const struct fine_context_options *options)
{
    struct fine_context_options o;
    int rc;

    if (out == NULL)
        return fine__fail(FINE_EINVAL, "fine_context_new: out is NULL");
    fine__context_defaults(&o);
    if (options != NULL) {
        rc = options_in(&o, sizeof o, options, v1_size);
        if (rc == FINE_EINVAL)
            return fine__fail(rc, "fine_context_options: struct_size is wrong; call "
                              "fine_context_options_init() first");
        if (rc < 0)
            return fine__fail(rc, "fine_context_options: fields of a newer library are in use; "
                              "install the libfinetune that the program was compiled for");
    }
    FINE__TRY(check(&o));
    if (o.log_level == 0)
        o.log_level = FINE_LOG_INFO;
    fine_context *ctx = NULL;

    FINE__TRY(fine__context_new(&ctx, &o));
    rc = fine__gemm_open(ctx);
    if (rc < 0) {
        fine__context_unref(ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}

void
fine_context_free(fine_context *context)
{
    fine__context_unref(context);
}

int32_t
fine_context_n_threads(const fine_context *context)
{
    return context != NULL ? context->n_threads : 0;
}

int64_t
fine_context_used_bytes(const fine_context *context)
{
    return context != NULL ? (int64_t)atomic_load(&context->used_bytes) : 0;
}

int64_t
fine_context_peak_bytes(const fine_context *context)
{
    return context != NULL ? (int64_t)atomic_load(&context->peak_bytes) : 0;
}

int64_t
fine_context_allocations(const fine_context *context)
{
    return context != NULL ? (int64_t)atomic_load(&context->n_allocations) : 0;
}
