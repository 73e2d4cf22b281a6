/*
 * text_helpers.h — small tokenizers for tests.
 */
#ifndef TEXT_HELPERS_H
#define TEXT_HELPERS_H

#include "base/buf.h"
#include "base/source.h"
#include "text/tokenizer.h"
#include <finetune/model.h>

/* Files as name, text, name, text, …, NULL. */
static inline int
open_texts(fine_tokenizer **out, fine_context *ctx, const char *const *texts)
{
    struct fine_memory_file files[8];
    struct fine__source *source;
    int64_t n = 0;
    int rc;

    memset(files, 0, sizeof files);
    for (; texts[2 * n] != NULL; n++) {
        files[n].name = texts[2 * n];
        files[n].bytes = texts[2 * n + 1];
        files[n].n_bytes = (int64_t)strlen(texts[2 * n + 1]);
    }
    rc = fine__source_open_memory(&source, ctx, files, n);
    if (rc < 0)
        return rc;
    rc = fine__tokenizer_open(out, ctx, source);
    fine__source_free(source);
    return rc;
}

static inline int
open_json(fine_tokenizer **out, fine_context *ctx, const char *json)
{
    return open_texts(out, ctx, (const char *const[]){ "tokenizer.json", json, NULL });
}

static inline fine_tokenizer *
opened_texts(fine_context *ctx, const char *const *texts)
{
    fine_tokenizer *t = NULL;

    ck_assert_msg(open_texts(&t, ctx, texts) == 0, "%s", fine_error_message());
    return t;
}

static inline fine_tokenizer *
opened_json(fine_context *ctx, const char *json)
{
    return opened_texts(ctx, (const char *const[]){ "tokenizer.json", json, NULL });
}

/* The pieces of a text without special ids, joined by '|'. */
static inline const char *
pieces_of(const fine_tokenizer *t, fine_context *ctx, const char *text)
{
    static char joined[4096];
    struct fine__tokens tokens;
    size_t n = 0;

    fine__tokens_init(&tokens, ctx);
    ck_assert_msg(fine__tokenizer_encode(t, &tokens, text, strlen(text), NULL, 0, 0,
                                         FINE_OFFSETS_BYTES, false) == 0,
                  "%s", fine_error_message());
    joined[0] = '\0';
    for (int64_t i = 0; i < tokens.count; i++)
        n += (size_t)snprintf(joined + n, sizeof joined - n, "%s%s", i > 0 ? "|" : "",
                              fine__tokenizer_piece(t, tokens.ids[i]));
    fine__tokens_free(&tokens);
    return joined;
}

#endif
