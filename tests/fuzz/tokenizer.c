/* Hostile tokenizer files: tokenizer.json when it begins with '{', else vocab.txt; behind
 * NUL bytes tokenizer_config.json and added_tokens.json. What opens must encode. */
#include <string.h>

#include "base/source.h"
#include "fuzz.h"
#include "text/tokenizer.h"
#include <finetune/model.h>

static void
encode(const fine_tokenizer *t, fine_context *ctx)
{
    static const char text[] = "[CLS] the A\u0301 \u6211\u0130[SEP]ab  abc<x>aaab \xff\t\u302e1";
    struct fine__tokens tokens;

    fine__tokens_init(&tokens, ctx);
    REQUIRE(fine__tokenizer_encode(t, &tokens, text, sizeof text - 1, text, 9, 0,
                                   FINE_OFFSETS_BYTES, true) == 0);
    for (int64_t i = 0; i < tokens.count; i++) {
        REQUIRE(tokens.ids[i] >= 0 && tokens.ids[i] < fine__tokenizer_vocab_size(t));
        REQUIRE(tokens.offsets[2 * i] <= tokens.offsets[2 * i + 1]);
        REQUIRE(tokens.offsets[2 * i + 1] <= (int64_t)sizeof text - 1);
    }
    fine__tokens_free(&tokens);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "tokenizer_config.json", "added_tokens.json" };
    fine_context *ctx = fuzz_context();
    struct fine_memory_file files[3] = { { NULL, NULL, 0 } };
    struct fine__source *source;
    fine_tokenizer *t = NULL;
    int64_t n = 0;

    for (const uint8_t *at = data, *end = data + size; n < 3 && at <= end; n++) {
        const uint8_t *nul = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;

        if (nul == NULL)
            nul = end;
        files[n].name = n > 0                        ? names[n - 1]
                        : size > 0 && data[0] == '{' ? "tokenizer.json"
                                                     : "vocab.txt";
        files[n].bytes = at;
        files[n].n_bytes = nul - at;
        if (nul == end) {
            n++;
            break;
        }
        at = nul + 1;
    }
    REQUIRE(fine__source_open_memory(&source, ctx, files, n) == 0);
    if (fine__tokenizer_open(&t, ctx, source) == 0)
        encode(t, ctx);
    else
        REQUIRE(fine_error_message()[0] != '\0' && t == NULL);
    fine__tokenizer_unref(t);
    fine__source_free(source);
    fuzz_context_free(ctx);
    return 0;
}
