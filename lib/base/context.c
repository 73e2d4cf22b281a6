/*
 * context.c — making, counting and ending contexts, and the way to the log.
 *
 * The context and its pool come straight from the allocator's hooks, outside the
 * account: what the account shows is what handles hold.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/file.h"
#include "base/parallel.h"

static void *
c_allocate(size_t bytes, void *user)
{
    (void)user;
    return malloc(bytes);
}

static void *
c_reallocate(void *block, size_t bytes, void *user)
{
    (void)user;
    return realloc(block, bytes);
}

static void
c_release(void *block, void *user)
{
    (void)user;
    free(block);
}

void
fine__context_defaults(struct fine_context_options *options)
{
    *options = (struct fine_context_options){ .struct_size = sizeof *options,
                                              .log_level = FINE_LOG_INFO };
}

int
fine__context_new(fine_context **out, const struct fine_context_options *options)
{
    struct fine_context_options o = *options;
    const bool own_allocator = o.allocate == NULL;
    fine_context *ctx;

    if (own_allocator) {
        o.allocate = c_allocate;
        o.reallocate = c_reallocate;
        o.release = c_release;
    }
    ctx = o.allocate(sizeof *ctx, o.allocator_user);
    if (ctx == NULL)
        return fine__fail(FINE_ENOMEM, "out of memory: no %zu bytes for a context", sizeof *ctx);
    memset(ctx, 0, sizeof *ctx);
    ctx->options = o;
    ctx->own_allocator = own_allocator;
    ctx->n_threads = o.n_threads > 0 ? o.n_threads : fine__n_processors();
    ctx->io = &fine__io_system;
    atomic_init(&ctx->references, 1);
    atomic_init(&ctx->used_bytes, 0);
    atomic_init(&ctx->peak_bytes, 0);
    atomic_init(&ctx->n_allocations, 0);
    atomic_init(&ctx->pool, NULL);
    *out = ctx;
    return 0;
}

fine_context *
fine__context_ref(fine_context *ctx)
{
    atomic_fetch_add(&ctx->references, 1);
    return ctx;
}

void
fine__context_unref(fine_context *ctx)
{
    if (ctx == NULL || atomic_fetch_sub(&ctx->references, 1) != 1)
        return;
    fine__pool_free(ctx);
    if (ctx->blas != NULL)
        ctx->options.release(ctx->blas, ctx->options.allocator_user);
    ctx->options.release(ctx, ctx->options.allocator_user);
}

bool
fine__log_wanted(const fine_context *ctx, int level)
{
    return ctx->options.log != NULL && level <= ctx->options.log_level;
}

void
fine__log(fine_context *ctx, int level, const char *format, ...)
{
    char raw[1024], line[1024];
    va_list arguments;

    if (!fine__log_wanted(ctx, level))
        return;
    va_start(arguments, format);
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);
    fine__escape(line, sizeof line, raw, strlen(raw));
    ctx->options.log(level, line, ctx->options.log_user);
}
