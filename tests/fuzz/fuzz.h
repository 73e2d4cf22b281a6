/* fuzz.h — what every fuzz target begins with. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include <finetune/context.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A wrong answer ends the process, as a crash would. */
#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* 64 MB and one thread; nothing may be left when it is freed. */
static inline fine_context *
fuzz_context(void)
{
    struct fine_context_options options;
    fine_context *ctx;

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = INT64_C(64) << 20;
    options.n_threads = 1;
    REQUIRE(fine_context_new(&ctx, &options) == 0);
    return ctx;
}

static inline void
fuzz_context_free(fine_context *ctx)
{
    REQUIRE(fine_context_used_bytes(ctx) == 0);
    fine_context_free(ctx);
}

#endif
