/* Merges and a text of any bytes. Byte 0: flags; then merges.txt, a NUL, and the text; the
 * vocabulary has all bytes and a few pieces for merges to make. With flag 8 the first part is
 * vocab.json instead, and there are no merges. */
#include <string.h>

#include "base/source.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "text/tokenizer.h"
#include <finetune/model.h>

static void
make_vocabulary(struct fine__buf *out)
{
    static const char *const more[] = { "ab", "abc", "bc", "aa", "aaaa", "\u0120a", "\u0120\u0120",
                                        "\u00c3\u00a9", "<s>", "</s>", "<mask>" };
    int n = 0;

    fine__buf_text(out, "{");
    for (int32_t c = 33; c < 0x144; c++) {
        char text[4];
        const size_t length = fine__utf8_encode(c, text);

        if ((c > 126 && c < 161) || c == 173)
            continue;
        fine__buf_json_string(out, text, length);
        fine__buf_printf(out, ": %d, ", n++);
    }
    for (int64_t i = 0; i < FINE__COUNT(more); i++)
        fine__buf_printf(out, "%s\"%s\": %d", i > 0 ? ", " : "", more[i], n++);
    fine__buf_text(out, "}");
}

static void
check(const fine_tokenizer *t, fine_context *ctx, const char *text, size_t length, bool complete)
{
    struct fine__tokens bytes, chars;
    struct fine__buf back;

    fine__tokens_init(&bytes, ctx);
    fine__tokens_init(&chars, ctx);
    fine__buf_init(&back, ctx);
    REQUIRE(fine__tokenizer_encode(t, &bytes, text, length, NULL, 0, 0, FINE_OFFSETS_BYTES, false)
            == 0);
    REQUIRE(fine__tokenizer_encode(t, &chars, text, length, NULL, 0, 0, FINE_OFFSETS_CHARS, false)
            == 0);
    REQUIRE(bytes.count == chars.count);
    for (int64_t i = 0; i < bytes.count; i++) {
        const int64_t start = bytes.offsets[2 * i], end = bytes.offsets[2 * i + 1];

        REQUIRE(bytes.ids[i] == chars.ids[i]);
        REQUIRE(bytes.ids[i] >= 0 && bytes.ids[i] < fine__tokenizer_vocab_size(t));
        REQUIRE(start >= 0 && start <= end && end <= (int64_t)length);
        if (length < 300) {
            REQUIRE(chars.offsets[2 * i] == fine__utf8_count(text, (size_t)start));
            REQUIRE(chars.offsets[2 * i + 1] == fine__utf8_count(text, (size_t)end));
        }
    }
    REQUIRE(fine__tokenizer_decode(t, bytes.ids, bytes.count, false, &back) == 0);
    REQUIRE(fine__utf8_valid(fine__buf_cstr(&back), back.length));
    if (complete && fine__utf8_valid(text, length) && memchr(text, '<', length) == NULL)
        REQUIRE(back.length == length && memcmp(fine__buf_cstr(&back), text, length) == 0);
    fine__tokens_free(&bytes);
    fine__tokens_free(&chars);
    fine__buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const configs[] = {
        "{}", "{\"add_prefix_space\": true}", "{\"tokenizer_class\": \"GPT2Tokenizer\"}",
        "{\"tokenizer_class\": \"RobertaTokenizer\", \"trim_offsets\": false}",
    };
    const uint8_t flags = size > 0 ? data[0] : 0;
    const char *first = size > 1 ? (const char *)data + 1 : "", *end = first + (size > 1 ? size - 1 : 0);
    const char *nul = end > first ? memchr(first, 0, (size_t)(end - first)) : NULL;
    const char *text = nul != NULL ? nul + 1 : end;
    fine_context *ctx = fuzz_context();
    struct fine_memory_file files[3] = {
        { "vocab.json", NULL, 0 },
        { "merges.txt", first, (nul != NULL ? nul : end) - first },
        { "tokenizer_config.json", configs[flags & 3], (int64_t)strlen(configs[flags & 3]) },
    };
    struct fine__source *source;
    struct fine__buf vocabulary;
    fine_tokenizer *t = NULL;

    fine__buf_init(&vocabulary, ctx);
    if (flags & 8) {
        files[0].bytes = first;
        files[0].n_bytes = files[1].n_bytes;
        files[1].bytes = "";
        files[1].n_bytes = 0;
    } else {
        make_vocabulary(&vocabulary);
        files[0].bytes = vocabulary.data;
        files[0].n_bytes = (int64_t)vocabulary.length;
    }
    REQUIRE(fine__source_open_memory(&source, ctx, files, 3) == 0);
    if (fine__tokenizer_open(&t, ctx, source) == 0)
        check(t, ctx, text, (size_t)(end - text), !(flags & 8) && (flags & 3) != 1);
    else
        REQUIRE(fine_error_message()[0] != '\0' && t == NULL);
    fine__tokenizer_unref(t);
    fine__source_free(source);
    fine__buf_free(&vocabulary);
    fuzz_context_free(ctx);
    return 0;
}
