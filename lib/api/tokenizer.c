/*
 * tokenizer.c — the border of text/: fine_tokenizer and fine_encoding.
 */
#include <assert.h>

#include <finetune/tokenizer.h>

#include "api/options.h"
#include "base/alloc.h"
#include "text/kind.h"

static_assert(offsetof(struct fine_encode_options, max_length) == sizeof(size_t),
              "fields never move");

/* The struct as it was in 0.1. */
static const size_t v1_size =
    offsetof(struct fine_encode_options, add_special) + sizeof(int32_t);

struct fine_encoding {
    fine_context *ctx;
    struct fine__tokens tokens;
};

static const struct fine_encode_options defaults = { .struct_size = sizeof defaults,
                                                     .offsets = FINE_OFFSETS_BYTES,
                                                     .add_special = 1 };

void
fine_encode_options_init(struct fine_encode_options *options, size_t size)
{
    options_out(options, size, &defaults, sizeof defaults);
}

int
fine_tokenizer_open(fine_tokenizer **out, fine_context *context, const char *path)
{
    if (out == NULL || context == NULL || path == NULL)
        return fine__fail(FINE_EINVAL, "fine_tokenizer_open: out, context or path is NULL");
    return fine__tokenizer_open_path(out, context, path);
}

void
fine_tokenizer_free(fine_tokenizer *tokenizer)
{
    fine__tokenizer_unref(tokenizer);
}

int64_t
fine_tokenizer_vocab_size(const fine_tokenizer *tokenizer)
{
    return tokenizer != NULL ? fine__tokenizer_vocab_size(tokenizer) : 0;
}

const char *
fine_tokenizer_piece(const fine_tokenizer *tokenizer, int64_t id)
{
    return tokenizer != NULL ? fine__tokenizer_piece(tokenizer, id) : NULL;
}

static int
read_options(struct fine_encode_options *o, const struct fine_encode_options *options)
{
    int rc;

    *o = defaults;
    if (options == NULL)
        return 0;
    rc = options_in(o, sizeof *o, options, v1_size);
    if (rc == FINE_EINVAL)
        return fine__fail(rc, "fine_encode_options: struct_size is wrong; call "
                          "fine_encode_options_init() first");
    if (rc < 0)
        return fine__fail(rc, "fine_encode_options: fields of a newer library are in use; install "
                          "the libfinetune that the program was compiled for");
    if (o->max_length < 0)
        return fine__fail(FINE_EINVAL, "fine_encode_options: max_length is %lld; give a number of "
                          "ids, or 0 for no limit", (long long)o->max_length);
    if (o->offsets != FINE_OFFSETS_BYTES && o->offsets != FINE_OFFSETS_CHARS)
        return fine__fail(FINE_EINVAL, "fine_encode_options: offsets is %d; use "
                          "FINE_OFFSETS_BYTES or FINE_OFFSETS_CHARS", (int)o->offsets);
    if (o->add_special != 0 && o->add_special != 1)
        return fine__fail(FINE_EINVAL, "fine_encode_options: add_special is %d; use 0 or 1",
                          (int)o->add_special);
    return 0;
}

/* -1: to the NUL. */
static int
length_in(size_t *out, const char *text, int64_t length, const char *name)
{
    if (length < -1)
        return fine__fail(FINE_EINVAL, "fine_tokenizer_encode: the length of %s is %lld; give its "
                          "bytes, or -1 where it ends with a NUL", name, (long long)length);
    *out = length < 0 ? strlen(text) : (size_t)length;
    return 0;
}

int
fine_tokenizer_encode(fine_encoding **out, const fine_tokenizer *tokenizer, const char *text,
                      int64_t length, const char *pair, int64_t pair_length,
                      const struct fine_encode_options *options)
{
    struct fine_encode_options o;
    fine_encoding *encoding;
    size_t bytes = 0, pair_bytes = 0;
    int rc;

    if (out == NULL || tokenizer == NULL || text == NULL)
        return fine__fail(FINE_EINVAL, "fine_tokenizer_encode: out, tokenizer or text is NULL");
    FINE__TRY(read_options(&o, options));
    FINE__TRY(length_in(&bytes, text, length, "text"));
    if (pair != NULL)
        FINE__TRY(length_in(&pair_bytes, pair, pair_length, "pair"));
    encoding = fine__alloc_array(tokenizer->ctx, 1, sizeof *encoding);
    if (encoding == NULL)
        return FINE_ENOMEM;
    encoding->ctx = fine__context_ref(tokenizer->ctx);
    fine__tokens_init(&encoding->tokens, encoding->ctx);
    rc = fine__tokenizer_encode(tokenizer, &encoding->tokens, text, bytes, pair, pair_bytes,
                                o.max_length, o.offsets, o.add_special != 0);
    fine__tokens_shrink(&encoding->tokens);
    if (rc < 0) {
        fine_encoding_free(encoding);
        return rc;
    }
    *out = encoding;
    return FINE_OK;
}

int
fine_tokenizer_decode(const fine_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                      int32_t skip_special, char *out, int64_t size, int64_t *length)
{
    struct fine__buf text;
    int rc;

    if (tokenizer == NULL || n < 0 || (ids == NULL && n > 0) || (out != NULL && size < 1)
        || skip_special < 0 || skip_special > 1)
        return fine__fail(FINE_EINVAL, "fine_tokenizer_decode: tokenizer or ids is NULL, n or size "
                          "is too small, or skip_special is neither 0 nor 1");
    fine__buf_init(&text, tokenizer->ctx);
    rc = fine__tokenizer_decode(tokenizer, ids, n, skip_special == 1, &text);
    if (rc == 0) {
        if (length != NULL)
            *length = (int64_t)text.length;
        if (out != NULL && (size_t)size <= text.length)
            rc = fine__fail(FINE_EINVAL, "fine_tokenizer_decode: the text has %zu bytes; out needs "
                            "one more", text.length);
        else if (out != NULL)
            memcpy(out, fine__buf_cstr(&text), text.length + 1);
    }
    fine__buf_free(&text);
    return rc;
}

void
fine_encoding_free(fine_encoding *encoding)
{
    fine_context *ctx;

    if (encoding == NULL)
        return;
    ctx = encoding->ctx;
    fine__tokens_free(&encoding->tokens);
    fine__free(ctx, encoding);
    fine__context_unref(ctx);
}

int64_t
fine_encoding_count(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.count : 0;
}

const int32_t *
fine_encoding_ids(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.ids : NULL;
}

const int32_t *
fine_encoding_type_ids(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.types : NULL;
}

const int32_t *
fine_encoding_text_ids(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.texts : NULL;
}

const int64_t *
fine_encoding_offsets(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.offsets : NULL;
}

int64_t
fine_encoding_truncated(const fine_encoding *encoding)
{
    return encoding != NULL ? encoding->tokens.truncated : 0;
}
