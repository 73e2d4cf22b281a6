/* Any bytes as text, or as two texts: byte 0 says how, byte 1 is max_length. */
#include <string.h>

#include "base/source.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "text/tokenizer.h"
#include <finetune/model.h>

static const char json[] =
    "{\"model\": {\"type\": \"WordPiece\", \"max_input_chars_per_word\": 20, \"vocab\": "
    "{\"[UNK]\": 0,"
    "\"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"##a\": 4, \"b\": 5, \"##b\": 6, \"aab\": 7, \"e\": 8,"
    "\"##\u0307\": 9, \"\u6211\": 10, \".\": 11, \"i\": 12}},"
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": %s, \"clean_text\": %s},"
    "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},"
    "\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"\", 1], \"sep\": [\"\", 2]},"
    "\"added_tokens\": [{\"id\": 2, \"content\": \"[SEP]\", \"special\": true},"
    "{\"id\": 13, \"content\": \"<x>\", \"normalized\": false, \"lstrip\": true, \"rstrip\": true},"
    "{\"id\": 14, \"content\": \"AB\", \"normalized\": true, \"single_word\": true},"
    "{\"id\": 15, \"content\": \"aa\", \"normalized\": true, \"rstrip\": true}]}";

static fine_tokenizer *
open_tokenizer(fine_context *ctx, bool lowercase, bool clean)
{
    struct fine_memory_file file = { "tokenizer.json", NULL, 0 };
    struct fine__source *source;
    struct fine__buf text;
    fine_tokenizer *t = NULL;

    fine__buf_init(&text, ctx);
    fine__buf_printf(&text, json, lowercase ? "true" : "false", clean ? "true" : "false");
    file.bytes = text.data;
    file.n_bytes = (int64_t)text.length;
    REQUIRE(fine__source_open_memory(&source, ctx, &file, 1) == 0);
    REQUIRE(fine__tokenizer_open(&t, ctx, source) == 0);
    fine__source_free(source);
    fine__buf_free(&text);
    return t;
}

/* Offsets in characters are the offsets in bytes, counted; both lie on characters. */
static void
check(const fine_tokenizer *t, const struct fine__tokens *bytes, const struct fine__tokens *chars,
      const char *const texts[2], const size_t lengths[2])
{
    REQUIRE(bytes->count == chars->count && bytes->truncated == chars->truncated);
    for (int64_t i = 0; i < bytes->count; i++) {
        const int64_t start = bytes->offsets[2 * i], end = bytes->offsets[2 * i + 1];
        const int type = bytes->types[i];

        REQUIRE(bytes->ids[i] == chars->ids[i]);
        REQUIRE(bytes->ids[i] >= 0 && bytes->ids[i] < fine__tokenizer_vocab_size(t));
        REQUIRE(type == 0 || type == 1);
        REQUIRE(start <= end && end <= (int64_t)lengths[type]);
        REQUIRE(start < end || (start == 0 && end == 0));
        REQUIRE(chars->offsets[2 * i] == fine__utf8_count(texts[type], (size_t)start));
        REQUIRE(chars->offsets[2 * i + 1] == fine__utf8_count(texts[type], (size_t)end));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Opening takes longer than encoding: each setting's tokenizer is opened once. */
    static fine_context *ctx;
    static fine_tokenizer *tokenizers[4];
    struct fine__tokens bytes, chars, whole;
    int64_t used;
    const uint8_t flags = size > 0 ? data[0] : 0, most = size > 1 ? data[1] : 0;
    const char *texts[2] = { size > 2 ? (const char *)data + 2 : "", NULL };
    size_t lengths[2] = { size > 2 ? size - 2 : 0, 0 };
    const fine_tokenizer *t;

    if (ctx == NULL)
        ctx = fuzz_context();
    if (tokenizers[flags & 3] == NULL)
        tokenizers[flags & 3] = open_tokenizer(ctx, flags & 1, flags & 2);
    t = tokenizers[flags & 3];
    used = fine_context_used_bytes(ctx);
    if (flags & 4) {
        texts[1] = texts[0] + lengths[0] / 2;
        lengths[1] = lengths[0] - lengths[0] / 2;
        lengths[0] /= 2;
    }
    fine__tokens_init(&bytes, ctx);
    fine__tokens_init(&chars, ctx);
    fine__tokens_init(&whole, ctx);
    REQUIRE(fine__tokenizer_encode(t, &whole, texts[0], lengths[0], texts[1], lengths[1], 0,
                                   FINE_OFFSETS_BYTES, true) == 0);
    REQUIRE(whole.count <= 3 + 2 * (int64_t)size && whole.truncated == 0);
    if (fine__tokenizer_encode(t, &bytes, texts[0], lengths[0], texts[1], lengths[1], most,
                               FINE_OFFSETS_BYTES, !(flags & 8)) == 0) {
        REQUIRE(most == 0 || bytes.count <= most);
        REQUIRE((flags & 8) || bytes.count + bytes.truncated == whole.count);
        REQUIRE(fine__tokenizer_encode(t, &chars, texts[0], lengths[0], texts[1], lengths[1], most,
                                       FINE_OFFSETS_CHARS, !(flags & 8)) == 0);
        if (size < 300)
            check(t, &bytes, &chars, texts, lengths);
    } else {
        REQUIRE(most > 0 && most < 3);
    }
    fine__tokens_free(&bytes);
    fine__tokens_free(&chars);
    fine__tokens_free(&whole);
    REQUIRE(fine_context_used_bytes(ctx) == used);
    return 0;
}
