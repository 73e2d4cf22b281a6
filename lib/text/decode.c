/*
 * decode.c — ids back to a text.
 *
 * Each kind writes the text of its pieces. Those of a byte-level tokenizer are bytes, and a
 * model may put any of them after one another, so what isn't UTF-8 becomes U+FFFD at last.
 */
#include "text/kind.h"

static bool
is_special(const fine_tokenizer *t, int32_t id)
{
    int64_t low = 0, high = t->n_special;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (t->special[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n_special && t->special[low] == id;
}

/* Broken bytes to U+FFFD. */
static int
repair(fine_context *ctx, struct fine__buf *text)
{
    struct fine__buf whole;

    if (text->length == 0 || fine__utf8_valid(text->data, text->length))
        return 0;
    fine__buf_init(&whole, ctx);
    for (size_t i = 0; i < text->length;) {
        char bytes[4];
        int32_t c;

        i += fine__utf8_decode(text->data + i, text->length - i, &c, NULL);
        fine__buf_append(&whole, bytes, fine__utf8_encode(c, bytes));
    }
    if (fine__buf_status(&whole) < 0) {
        fine__buf_free(&whole);
        return FINE_ENOMEM;
    }
    fine__buf_free(text);
    *text = whole;
    return 0;
}

int
fine__tokenizer_decode(const fine_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                       bool skip_special, struct fine__buf *out)
{
    bool is_first = true;

    fine__buf_clear(out);
    for (int64_t i = 0; i < n; i++) {
        const char *piece = fine__pieces_get(&tokenizer->pieces, ids[i]);

        if (piece == NULL || (skip_special && is_special(tokenizer, ids[i])))
            continue;
        FINE__TRY(tokenizer->kind->decode(tokenizer, piece, is_first, out));
        is_first = false;
    }
    if (out->data != NULL)
        out->data[out->length] = '\0';   /* a kind may have taken bytes back */
    return repair(out->ctx, out);
}
