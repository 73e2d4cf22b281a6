/* Headers of safetensors files: what is accepted, and every way to be refused. */
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "weight_files.h"

#define F32(name, shape, from, to) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

/* Good ones: so many tensors. */
static const struct {
    const char *header;
    int64_t n_data, count;
} good[] = {
    { "{}", 0, 0 },
    { " \n\t\r{} \n\t\r ", 0, 0 },
    { "{\"__metadata__\":{}}", 0, 0 },
    { "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"}}", 0, 0 },
    { "{" F32("a", "2,2", 0, 16) "}", 16, 1 },
    { "{" F32("a", "", 0, 4) "}", 4, 1 },
    { "{" F32("", "1", 0, 4) "}", 4, 1 },
    { "{" F32("a", "0", 0, 0) "}", 0, 1 },
    { "{" F32("a", "0,9223372036854775807", 0, 0) "}", 0, 1 },
    { "{" F32("a", "1", 0, 4) "," F32("b", "1", 4, 8) "}", 8, 2 },
    { "{" F32("b", "1", 4, 8) "," F32("a", "1", 0, 4) "}", 8, 2 },
    { "{" F32("a", "1", 0, 4) "," F32("e", "0", 4, 4) "," F32("b", "1", 4, 8) "}", 8, 3 },
    { "{" F32("a", "1", 0, 4) "," F32("e", "0", 0, 0) "," F32("z", "0,3", 4, 4) "}", 4, 3 },
    { "{" F32("a", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", 0, 4) "}", 4, 1 },
    { "{\"a\":{\"data_offsets\":[0,3],\"shape\":[3],\"dtype\":\"BOOL\"}}", 3, 1 },
    { "{ \"a\" : { \"dtype\" : \"U8\" , \"shape\" : [ 3 ] , \"data_offsets\" : [ 0 , 3 ] } }", 3,
      1 },
    { "{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, 1 },
    { "{\"a\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, 1 },
    { "{\"a\":{\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, 1 },
    { "{\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 1 },
    { "{\"a\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 1 },
    { "{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, 1 },
    { "{\"a\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, 1 },
    { "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, 1 },
    { "{\"a\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,6]}}", 6, 1 },
    { "{\"a\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[0,6]}}", 6, 1 },
    { "{\"\\u0061\\\"\\ud83d\\ude00\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
      1 },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"note\":[{\"x\":[1]},null]}}",
      1, 1 },
};

START_TEST(accepts)
{
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct fine__weights *weights;
        struct fine__source *source;
        struct fine__buf file;

        fine__buf_init(&file, ctx);
        make_file(&file, good[i].header, strlen(good[i].header), -1, good[i].n_data);
        ck_assert_msg(open_bytes(&weights, &source, ctx, "m", file.data, file.length) == 0,
                      "%s: %s", good[i].header, fine_error_message());
        ck_assert_int_eq(fine__weights_count(weights), good[i].count);
        fine__weights_free(weights);
        fine__source_free(source);
        fine__buf_free(&file);
    }
    free_context(ctx);
}
END_TEST

/* Bad ones, and a part of the finding. */
static const struct {
    const char *header;
    int64_t n_data;
    const char *finding;
} bad[] = {
    /* not an object, not JSON */
    { "", 0, "an object is expected" },
    { "[]", 0, "not a JSON object" },
    { "null", 0, "not a JSON object" },
    { "\"a\"", 0, "not a JSON object" },
    { "{", 0, "is expected" },
    { "{}{}", 0, "more text follows" },
    { "{} x", 0, "more text follows" },
    { "{,}", 0, "a name is expected" },
    { "{\"a\"}", 0, "':' is expected" },
    { "{\"a\":{},}", 0, "has no 'dtype'" },
    { "{a:1}", 0, "a name is expected" },
    { "{\"a\xff\":1}", 0, "UTF-8" },
    { "{\"a\xc0\x80\":1}", 0, "UTF-8" },
    { "{\"\\ud800\":1}", 0, "escape" },
    { "{\"a\nb\":1}", 0, "control character" },
    { "{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "NUL" },
    /* an entry that is none */
    { "{\"a\":1}", 0, "an object is expected" },
    { "{\"a\":null}", 0, "an object is expected" },
    { "{\"a\":[]}", 0, "an object is expected" },
    { "{\"a\":{}}", 0, "has no 'dtype'" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "has no 'data_offsets'" },
    { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "has no 'shape'" },
    { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "has no 'dtype'" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "'dtype' stands twice" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "'shape' stands twice" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"data_offsets\":[0,4]}}", 4,
      "'data_offsets' stands twice" },
    /* types */
    { "{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype 'f32'" },
    { "{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype ''" },
    { "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
      "dtype 'F8_E4M3'" },
    { "{\"a\":{\"dtype\":\"F32\\u0000\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype" },
    { "{\"a\":{\"dtype\":12,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "a dtype is expected" },
    { "{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "a dtype is expected" },
    /* shapes */
    { "{" F32("a", "-1", 0, 4) "}", 4, "not negative" },
    { "{" F32("a", "1.0", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "1e0", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "01", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "\"1\"", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "true", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "[1]", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "1,", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", ",1", 0, 4) "}", 4, "whole number" },
    { "{" F32("a", "9223372036854775808", 0, 4) "}", 4, "overflows" },
    { "{" F32("a", "18446744073709551616", 0, 4) "}", 4, "overflows" },
    { "{" F32("a", "18446744073709551617", 0, 4) "}", 4, "overflows" },
    { "{" F32("a", "4294967296,4294967296", 0, 0) "}", 0, "product of its shape overflows" },
    { "{" F32("a", "4611686018427387904,4", 0, 0) "}", 0, "product of its shape overflows" },
    { "{" F32("a", "4611686018427387904", 0, 0) "}", 0, "product of its shape overflows" },
    { "{" F32("a", "2305843009213693952,1", 0, 0) "}", 0, "product of its shape overflows" },
    { "{" F32("a", "9223372036854775807,9223372036854775807,0", 0, 0) "}", 0, "overflows" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "a list is expected" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":{},\"data_offsets\":[0,4]}}", 4, "a list is expected" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":null,\"data_offsets\":[0,4]}}", 4,
      "a list is expected" },
    /* offsets */
    { "{" F32("a", "1", 4, 0) "}", 4, "end before they begin" },
    { "{" F32("a", "1", -4, 0) "}", 4, "not negative" },
    { "{" F32("a", "1", 0, 8) "}", 8, "need 4 bytes" },
    { "{" F32("a", "2", 0, 4) "}", 4, "need 8 bytes" },
    { "{" F32("a", "0", 0, 4) "}", 4, "need 0 bytes" },
    { "{" F32("a", "1", 0.0, 4) "}", 4, "whole number" },
    { "{" F32("a", "1", 0, 18446744073709551620) "}", 4, "overflows" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[]}}", 4, "two numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "two numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}", 4, "a list is expected" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",\"4\"]}}", 4,
      "whole number" },
    /* layout */
    { "{" F32("a", "1", 4, 8) "}", 8, "a hole of 4 bytes before tensor 'a'" },
    { "{" F32("a", "1", 0, 4) "," F32("b", "1", 8, 12) "}", 12,
      "a hole of 4 bytes before tensor 'b'" },
    { "{" F32("a", "1", 0, 4) "," F32("b", "1", 0, 4) "}", 4, "overlaps 'a'" },
    { "{" F32("a", "2", 0, 8) "," F32("b", "1", 4, 8) "}", 8, "tensor 'b' overlaps 'a'" },
    { "{" F32("a", "3", 0, 12) "," F32("b", "1", 4, 8) "," F32("c", "1", 8, 12) "}", 12,
      "tensor 'c' overlaps 'a'" },
    { "{" F32("a", "2", 0, 8) "," F32("e", "0", 4, 4) "}", 8, "tensor 'e' overlaps 'a'" },
    { "{" F32("a", "1", 0, 4) "," F32("e", "0", 8, 8) "}", 8, "a hole" },
    { "{" F32("a", "1", 0, 4) "}", 5, "1 bytes follow the last tensor" },
    { "{}", 1, "1 bytes follow the last tensor" },
    { "{" F32("a", "1", 0, 4) "}", 3, "truncated" },
    { "{" F32("a", "1", 0, 4) "}", 0, "truncated" },
    { "{" F32("a", "1000000000000", 0, 4000000000000) "}", 4, "truncated" },
    { "{" F32("a", "1", 9223372036854775803, 9223372036854775807) "}", 4, "a hole" },
    /* names */
    { "{" F32("a", "1", 0, 4) "," F32("a", "1", 4, 8) "}", 8, "two tensors have this name" },
    { "{" F32("a", "1", 0, 4) "," F32("\\u0061", "1", 4, 8) "}", 8, "two tensors have this name" },
    { "{" F32("a", "1", 0, 4) "," F32("a", "1", 0, 4) "}", 4, "two tensors have this name" },
    { "{" F32("a", "0", 0, 0) "," F32("a", "0", 0, 0) "}", 0, "two tensors have this name" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ stands twice" },
    { "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "'a' stands twice" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "a value of __metadata__" },
    { "{\"__metadata__\":{\"a\":{}}}", 0, "a value of __metadata__" },
    { "{\"__metadata__\":{\"a\":null}}", 0, "a value of __metadata__" },
    { "{\"__metadata__\":null}", 0, "an object is expected" },
    { "{\"__metadata__\":[]}", 0, "an object is expected" },
    { "{\"__metadata__\":\"pt\"}", 0, "an object is expected" },
    { "{" F32("__metadata__", "1", 0, 4) "}", 4, "a value of __metadata__" },
};

static int
try_bytes(fine_context *ctx, const void *bytes, size_t length)
{
    struct fine__weights *weights;
    struct fine__source *source;
    const int rc = open_bytes(&weights, &source, ctx, "m.safetensors", bytes, length);

    if (rc == 0) {
        fine__weights_free(weights);
        fine__source_free(source);
    }
    return rc;
}

START_TEST(refuses)
{
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fine__buf file;

        fine__buf_init(&file, ctx);
        make_file(&file, bad[i].header, strlen(bad[i].header), -1, bad[i].n_data);
        ck_assert_msg(try_bytes(ctx, file.data, file.length) == FINE_EFORMAT, "%s", bad[i].header);
        ck_assert_msg(was_found(bad[i].finding), "%s: %s", bad[i].header, fine_error_message());
        ck_assert_ptr_eq(strstr(fine_error_message(), "memory/m.safetensors: "),
                         fine_error_message());
        fine__buf_free(&file);
    }
    free_context(ctx);
}
END_TEST

START_TEST(lies_about_the_length_cost_nothing)
{
    static const int64_t lengths[] = {
        3, 9, 1000, 99999999, 100000000, 100000001, INT64_C(1) << 32, INT64_C(1) << 40, INT64_MAX
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const int64_t before = fine_context_peak_bytes(ctx);
        struct fine__buf file;

        fine__buf_init(&file, ctx);
        make_file(&file, "{}", 2, lengths[i], 0);
        ck_assert_int_eq(try_bytes(ctx, file.data, file.length), FINE_EFORMAT);
        ck_assert(was_found(lengths[i] > 100000000 ? "above the limit of 100 MB" : "truncated"));
        ck_assert_int_lt(fine_context_peak_bytes(ctx) - before, 4096);
        fine__buf_free(&file);
    }
    for (size_t n = 0; n < 8; n++) {
        ck_assert_int_eq(try_bytes(ctx, "\2\0\0\0\0\0\0\0{}", n), FINE_EFORMAT);
        ck_assert(was_found(n == 0 ? "the file is empty" : "truncated"));
    }
    free_context(ctx);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    const char *finding;
} foreign[] = {
#define BYTES(text) text, sizeof text - 1
    { BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
      "git lfs pull" },
    { BYTES("<!DOCTYPE html><html><body>404</body></html>"), "web page" },
    { BYTES("\xef\xbb\xbf\r\n<html lang=\"en\"></html>"), "web page" },
    { BYTES("<HTML>\n"), "web page" },
    { BYTES("<?xml version=\"1.0\"?><Error>NoSuchKey</Error>"), "XML" },
    { BYTES("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19."), "pickle" },
    { BYTES("\x80\x04\x95\x0a\0\0\0\0\0\0\0}"), "pickle" },
    { BYTES("PK\3\4\0\0\0\0\0\0\0\0archive/data.pkl"), "zip archive" },
    { BYTES("GGUF\3\0\0\0\0\0\0\0"), "GGUF" },
    { BYTES("\x89HDF\r\n\x1a\n\0\0"), "HDF5" },
    { BYTES("\x1f\x8b\x08\0\0\0\0\0\0\0"), "gzip" },
    { BYTES("\x28\xb5\x2f\xfd\0\0\0\0\0"), "zstd" },
    { BYTES("\x1c\0\0\0TFL3\0\0\0\0"), "TensorFlow Lite" },
    { BYTES("\x93NUMPY\1\0v\0{'descr'"), "NumPy" },
    { BYTES("{\"architectures\": [\"BertModel\"], \"hidden_size\": 384}"), "JSON" },
    { BYTES("no weights at all, just words"), "not safetensors" },
    { BYTES("PK"), "truncated" },
};

START_TEST(names_what_the_file_is_instead)
{
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        ck_assert_int_eq(try_bytes(ctx, foreign[i].bytes, foreign[i].length), FINE_EFORMAT);
        ck_assert_msg(was_found(foreign[i].finding), "%zu: %s", i, fine_error_message());
    }
    free_context(ctx);
}
END_TEST

START_TEST(finds_everything_at_once)
{
    static const char header[] = "{" F32(
        "a", "1", 0, 8) ","
                        "\"b\":{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[8,12]}," F32(
                            "c", "4294967296,4294967296", 12, 16) "}";
    fine_context *ctx = new_context(1);
    struct fine__buf file;

    fine__buf_init(&file, ctx);
    make_file(&file, header, strlen(header), -1, 16);
    ck_assert_int_eq(try_bytes(ctx, file.data, file.length), FINE_EFORMAT);
    ck_assert_int_eq(n_findings(), 3);
    ck_assert(was_found("'a'") && was_found("'Q4'") && was_found("'c'"));
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

/* Every truncation and many wrong bytes: an error or a list of tensors, nothing else. */
START_TEST(survives_damage)
{
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"}," F32(
        "a", "2,2", 0, 16) "," F32("b", "1", 16, 20) "}";
    fine_context *ctx = new_context(1);
    struct fine__buf file;

    fine__buf_init(&file, ctx);
    make_file(&file, header, strlen(header), -1, 20);
    ck_assert_int_eq(try_bytes(ctx, file.data, file.length), 0);
    for (size_t n = 0; n < file.length; n++) {
        char *copy = malloc(n > 0 ? n : 1);

        memcpy(copy, file.data, n);
        ck_assert_int_eq(try_bytes(ctx, copy, n), FINE_EFORMAT);
        free(copy);
    }
    for (size_t i = 0; i < file.length - 20; i++) {
        for (int bit = 0; bit < 8; bit++) {
            int rc;

            file.data[i] = (char)(file.data[i] ^ 1 << bit);
            rc = try_bytes(ctx, file.data, file.length);
            ck_assert(rc == 0 || rc == FINE_EFORMAT);
            file.data[i] = (char)(file.data[i] ^ 1 << bit);
        }
    }
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* n empty tensors, in an order that isn't the data's, and the time to open them. */
static double
time_many(fine_context *ctx, int n)
{
    struct fine__buf header, file;
    double start;

    fine__buf_init(&header, ctx);
    fine__buf_init(&file, ctx);
    for (int i = 0; i < n; i++) {
        const int k = (int)((int64_t)i * 48271 % n);

        fine__buf_printf(&header,
                         "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                         i > 0 ? "," : "{", k, k, k + 1);
    }
    fine__buf_byte(&header, '}');
    make_file(&file, header.data, header.length, -1, n);
    start = seconds();
    ck_assert_int_eq(try_bytes(ctx, file.data, file.length), 0);
    start = seconds() - start;
    fine__buf_free(&header);
    fine__buf_free(&file);
    return start;
}

START_TEST(time_is_linear)
{
    fine_context *ctx = new_context(1);

    ck_assert_double_lt(time_many(ctx, 100003), 5); /* 0.1 s; quadratic would take minutes */
    free_context(ctx);
}
END_TEST

START_TEST(memory_is_limited)
{
    struct fine_context_options options;
    struct fine__buf file;
    fine_context *ctx, *limited;

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 1 << 20;
    ck_assert_int_eq(fine_context_new(&limited, &options), 0);
    ctx = new_context(1);
    fine__buf_init(&file, ctx);
    {
        char *blanks = malloc(2 << 20);

        memset(blanks, ' ', 2 << 20);
        memcpy(blanks, "{}", 2);
        make_file(&file, blanks, 2 << 20, -1, 0);
        free(blanks);
    }
    ck_assert_int_eq(try_bytes(limited, file.data, file.length), FINE_ENOMEM);
    ck_assert_int_eq(try_bytes(ctx, file.data, file.length), 0);
    fine__buf_free(&file);
    free_context(ctx);
    free_context(limited);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"}," F32(
        "a", "2,2", 0, 16) "," F32("b", "1", 16, 20) "}";
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1), *plain = new_context(1);
    struct fine__buf file;

    fine__buf_init(&file, plain);
    make_file(&file, header, strlen(header), -1, 20);
    for (int fail_at = 1;; fail_at++) {
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        rc = try_bytes(ctx, file.data, file.length);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, FINE_ENOMEM);
    }
    fine__buf_free(&file);
    free_context(plain);
    free_context(ctx);
}
END_TEST

/* The files that the format's reference implementation is tested with. */
START_TEST(agrees_with_the_reference)
{
    static const char *const kinds[] = { "ok", "bad" };
    static const char folder[] = SOURCE_ROOT "/../shared/vectors/safetensors";
    fine_context *ctx = new_context(1);
    char *path = fine__path_join(ctx, folder, "expected.json");
    struct fine__json *expected;
    int n = 0;

    if (!fine__file_exists(ctx, path)) {
        fine__free(ctx, path);
        free_context(ctx);
        printf("safetensors vectors: skipped, %s is not there\n", folder);
        return;
    }
    ck_assert_int_eq(fine__json_read(&expected, ctx, path, 1 << 20), 0);
    fine__free(ctx, path);
    for (int k = 0; k < 2; k++) {
        const struct fine__json *files = fine__json_get(expected, kinds[k]);

        for (void *it = fine__json_first(files); it != NULL; it = fine__json_next(files, it)) {
            struct fine__weights *weights;
            char name[300];
            int rc;

            snprintf(name, sizeof name, "%s_%s", kinds[k], fine__json_key(it));
            path = fine__path_join(ctx, folder, name);
            rc = fine__weights_open_path(&weights, ctx, path);
            ck_assert_msg(rc == (k == 0 ? 0 : FINE_EFORMAT), "%s: %d", name, rc);
            if (rc == 0)
                fine__weights_free(weights);
            fine__free(ctx, path);
            n++;
        }
    }
    ck_assert_int_eq(n, 20);
    fine__json_free(expected);
    free_context(ctx);
}
END_TEST

RUNNER("header", accepts, refuses, lies_about_the_length_cost_nothing,
       names_what_the_file_is_instead, finds_everything_at_once, survives_damage, time_is_linear,
       memory_is_limited, survives_any_failed_allocation, agrees_with_the_reference)
