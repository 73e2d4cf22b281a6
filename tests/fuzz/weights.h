/* weights.h — what opens as weights can be read whole; what doesn't says why. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include <string.h>

#include "base/alloc.h"
#include "fuzz.h"
#include "io/safetensors.h"
#include <finetune/model.h>

static inline void
read_all(fine_context *ctx, struct fine__weights *weights, int damaged)
{
    char fingerprint[33];
    int64_t total = 0;
    int rc;

    for (int64_t i = 0; i < fine__weights_count(weights); i++) {
        const struct fine__weight *weight = fine__weights_at(weights, i);
        const size_t bytes = fine__weights_bytes(weights, i);
        void *raw = fine__alloc(ctx, bytes);
        float *floats = fine__alloc_array(ctx, (size_t)weight->count, sizeof *floats);

        total += (int64_t)bytes;
        REQUIRE(fine__weights_find(weights, weight->name) == i);
        if (raw != NULL) {
            rc = fine__weights_read_raw(weights, i, raw);
            REQUIRE(rc == 0 || rc == damaged);
        }
        if (floats != NULL) {
            rc = fine__weights_read_floats(weights, i, floats);
            REQUIRE(rc == 0 || rc == FINE_ESHAPE || rc == damaged);
        }
        fine__free(ctx, raw);
        fine__free(ctx, floats);
    }
    REQUIRE(total >= 0);
    rc = fine__weights_fingerprint(weights, fingerprint);
    REQUIRE((rc == 0 && strlen(fingerprint) == 32) || rc == damaged || rc == FINE_ENOMEM);
}

/* damaged: the code that reading may answer with, where checksums are compared only then. */
static inline void
open_as(const char *name, const struct fine_memory_file *files, int64_t n_files, int damaged)
{
    fine_context *ctx = fuzz_context();
    struct fine__source *source;
    struct fine__weights *weights = NULL;
    int rc;

    REQUIRE(fine__source_open_memory(&source, ctx, files, n_files) == 0);
    rc = fine__weights_open_file(&weights, ctx, source, name);
    if (rc == 0)
        read_all(ctx, weights, damaged);
    else
        REQUIRE(weights == NULL && fine_error_message()[0] != '\0');
    fine__weights_free(weights);
    fine__source_free(source);
    fuzz_context_free(ctx);
}

#endif
