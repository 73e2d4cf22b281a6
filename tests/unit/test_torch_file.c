/* Files as torch.save writes them, in both forms: their tensors, and every way to be damaged.
 * The files are those of fuzz/corpus/torchfile, whose maker says what is in them. */
#include "faulty_io.h"
#include "torch_files.h"

#define CORPUS SOURCE_ROOT "/tests/fuzz/corpus/torchfile/"
#define REAL SOURCE_ROOT "/../shared/weights/resnet-cifar10-akamaster/"

static void
load(struct fine__buf *out, fine_context *ctx, const char *name)
{
    char path[500];

    snprintf(path, sizeof path, CORPUS "%s", name);
    fine__buf_init(out, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, out), 0);
}

static struct fine__weights *
open_corpus(fine_context *ctx, const char *name)
{
    struct fine__weights *weights = NULL;
    char path[500];

    snprintf(path, sizeof path, CORPUS "%s", name);
    ck_assert_msg(fine__weights_open_path(&weights, ctx, path) == 0, "%s: %s", name,
                  fine_error_message());
    return weights;
}

static void
has(struct fine__weights *weights, const char *name, int64_t n_dims, const int64_t *shape,
    const float *values)
{
    const int64_t i = fine__weights_find(weights, name);
    const struct fine__weight *weight;
    float got[64];

    ck_assert_msg(i >= 0, "%s is missing", name);
    weight = fine__weights_at(weights, i);
    ck_assert_int_eq(weight->n_dims, n_dims);
    for (int64_t k = 0; k < n_dims; k++)
        ck_assert_int_eq(weight->shape[k], shape[k]);
    ck_assert_int_eq(fine__weights_read_floats(weights, i, got), 0);
    for (int64_t k = 0; k < weight->count; k++)
        ck_assert_msg(got[k] == values[k], "%s: element %d", name, (int)k);
}

#define SHAPE(...) \
    sizeof((int64_t[]){ __VA_ARGS__ }) / 8, (const int64_t[]) \
    { \
        __VA_ARGS__ \
    }
#define VALUES(...) \
    (const float[]) \
    { \
        __VA_ARGS__ \
    }

START_TEST(reads_both_forms)
{
    static const char *const names[] = { "plain", "plain-old", "plain-old4",
                                         "train", "train-old", "train-old4" };
    fine_context *ctx = new_context(1);
    char first[33], fingerprint[33];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fine__weights *weights = open_corpus(ctx, names[i]);

        ck_assert_int_eq(fine__weights_count(weights), 2);
        has(weights, "w", SHAPE(2, 3), VALUES(0, 1, 2, 3, 4, 5));
        has(weights, "b", SHAPE(3), VALUES(0, 1, 2));
        ck_assert_int_eq(fine__weights_fingerprint(weights, fingerprint), 0);
        if (i == 0)
            memcpy(first, fingerprint, 33);
        ck_assert_str_eq(fingerprint, first);
        fine__weights_free(weights);
    }
    free_context(ctx);
}
END_TEST

/* The same tensors as safetensors have the same fingerprint. */
START_TEST(is_the_same_as_safetensors)
{
    static const float numbers[] = { 0, 1, 2, 3, 4, 5 };
    static const int64_t two[] = { 2, 3 }, three[] = { 3 };
    const struct fine__weight_out entries[] = { { "w", two, 2, FINE_F32, numbers },
                                                { "b", three, 1, FINE_F32, numbers } };
    fine_context *ctx = new_context(1);
    struct fine__weights *weights = open_corpus(ctx, "plain");
    struct fine__source *source;
    struct fine__buf file;
    char one[33], other[33];

    ck_assert_int_eq(fine__weights_fingerprint(weights, one), 0);
    fine__weights_free(weights);
    fine__buf_init(&file, ctx);
    ck_assert_int_eq(fine__safetensors_append(&file, entries, 2, NULL, 0), 0);
    ck_assert_int_eq(open_bytes(&weights, &source, ctx, "m", file.data, file.length), 0);
    ck_assert_int_eq(fine__weights_fingerprint(weights, other), 0);
    ck_assert_str_eq(one, other);
    fine__weights_free(weights);
    fine__source_free(source);
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

START_TEST(honours_strides)
{
    static const char *const names[] = { "views", "views-old", "views-old4" };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fine__weights *weights = open_corpus(ctx, names[i]);

        ck_assert_int_eq(fine__weights_count(weights), 8);
        has(weights, "t", SHAPE(3, 2), VALUES(0, 3, 1, 4, 2, 5));
        has(weights, "e", SHAPE(2, 3), VALUES(0, 1, 2, 0, 1, 2));
        has(weights, "row", SHAPE(6), VALUES(6, 7, 8, 9, 10, 11));
        has(weights, "column", SHAPE(4), VALUES(2, 8, 14, 20));
        has(weights, "step", SHAPE(2, 2), VALUES(6, 9, 18, 21));
        has(weights, "diagonal", SHAPE(4), VALUES(0, 7, 14, 21));
        has(weights, "p", SHAPE(3, 2, 2), VALUES(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11));
        has(weights, "a", SHAPE(4, 6),
            VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                   23));
        fine__weights_free(weights);
    }
    free_context(ctx);
}
END_TEST

START_TEST(reads_every_type)
{
    static const struct {
        const char *name;
        int32_t type;
        bool is_real;
    } kinds[] = {
        { "float16", FINE_F16, true }, { "bfloat16", FINE_BF16, true },
        { "float64", FINE_F64, true }, { "int64", FINE_I64, false },
        { "int32", FINE_I32, false },  { "int16", FINE_I16, false },
        { "int8", FINE_I8, false },    { "uint8", FINE_U8, false },
        { "bool", FINE_BOOL, false },  { "uint16", FINE_U16, false },
    };
    fine_context *ctx = new_context(1);
    struct fine__weights *weights = open_corpus(ctx, "kinds");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const int64_t at = fine__weights_find(weights, kinds[i].name);
        unsigned char raw[24];
        size_t size;

        ck_assert_int_ge(at, 0);
        ck_assert_int_eq(fine__weights_at(weights, at)->type, kinds[i].type);
        size = fine__type_size(kinds[i].type);
        ck_assert_uint_eq(fine__weights_bytes(weights, at), 3 * size);
        if (kinds[i].is_real) {
            has(weights, kinds[i].name, SHAPE(3), VALUES(0, 1, 2));
            continue;
        }
        ck_assert_int_eq(fine__weights_read_raw(weights, at, raw), 0);
        ck_assert(raw[0] == 0 && raw[size] == 1 &&
                  raw[2 * size] == (kinds[i].type == FINE_BOOL ? 1 : 2));
    }
    fine__weights_free(weights);
    weights = open_corpus(ctx, "parameter");
    has(weights, "w", SHAPE(2, 2), VALUES(0, 2, 1, 3));
    has(weights, "z", SHAPE(0, 3), VALUES(0));
    has(weights, "s", 0, NULL, VALUES(2));
    fine__weights_free(weights);
    free_context(ctx);
}
END_TEST

static int
try_file(fine_context *ctx, const void *bytes, size_t length)
{
    struct fine__weights *weights;
    struct fine__source *source;
    const int rc = open_bytes(&weights, &source, ctx, "pytorch_model.bin", bytes, length);

    if (rc == 0) {
        fine__weights_free(weights);
        fine__source_free(source);
    }
    return rc;
}

static int
try_pickle(fine_context *ctx, const char *pickle, size_t n)
{
    struct fine__buf archive;
    int rc;

    archive_of_pickle(&archive, ctx, pickle, n);
    rc = try_file(ctx, archive.data, archive.length);
    fine__buf_free(&archive);
    return rc;
}

#define T TENSOR("0", "K\0", "K\2", "K\1")
#define TRY(text) try_pickle(ctx, "\x80\2" text ".", sizeof(text) + 2)

START_TEST(unwraps_dictionaries)
{
    fine_context *ctx = new_context(1);

    ck_assert_int_eq(TRY("}U\nstate_dict}U\1a" T "ss"), 0);
    ck_assert_int_eq(TRY("}U\x10model_state_dict}U\1a" T "ss"), 0);
    ck_assert_int_eq(TRY("}U\5model}U\1a" T "ss"), 0);
    ck_assert_int_eq(TRY("}U\6module}U\nstate_dict}U\1a" T "sss"), 0);
    /* A tensor of such a name is a tensor. */
    ck_assert_int_eq(TRY("}U\5model" T "s"), 0);
    ck_assert_int_eq(TRY("}(U\1eK\1U\3netN]u"), FINE_EFORMAT);
    ck_assert_int_eq(TRY("}(U\1eK\1U\3netNu"), FINE_EUNSUPPORTED);
    ck_assert(was_found("there is no tensor in its dictionary") && was_found("keys are: e, net"));
    ck_assert_int_eq(TRY("}"), FINE_EUNSUPPORTED);
    ck_assert_int_eq(TRY("N"), FINE_EUNSUPPORTED);
    ck_assert(was_found("no dictionary of tensors"));
    ck_assert_int_eq(TRY("]" T "a"), FINE_EUNSUPPORTED);
    ck_assert_int_eq(TRY(T), FINE_EUNSUPPORTED);
    ck_assert_int_eq(TRY("}K\1" T "s"), FINE_EFORMAT);
    ck_assert(was_found("name is not a text"));
    ck_assert_int_eq(TRY("}U\3a\0b" T "s"), FINE_EFORMAT);
    ck_assert(was_found("NUL"));
    ck_assert_int_eq(TRY("}U\1\xff" T "s"), FINE_EFORMAT);
    ck_assert(was_found("not UTF-8"));
    ck_assert_int_eq(TRY("}(U\1a" T "U\1a" T "u"), FINE_EFORMAT);
    ck_assert(was_found("two tensors have this name"));
    free_context(ctx);
}
END_TEST

/* Dictionaries in dictionaries, and one that holds itself. */
START_TEST(unwraps_so_deep_and_no_deeper)
{
    fine_context *ctx = new_context(1);

    ck_assert_int_eq(TRY("}q\0U\5modelh\0s"), FINE_EUNSUPPORTED);
    ck_assert_int_eq(TRY("}U\5model}U\5model}U\5model}U\5model}U\1a" T "sssss"), 0);
    ck_assert_int_eq(TRY("}U\5model}U\5model}U\5model}U\5model}U\5model}U\1a" T "ssssss"),
                     FINE_EUNSUPPORTED);
    free_context(ctx);
}
END_TEST

START_TEST(a_damaged_storage_is_found_when_it_is_read)
{
    fine_context *ctx = new_context(1);
    struct fine__weights *weights;
    struct fine__source *source;
    struct fine__buf file;
    char *storage;
    float out[6];

    load(&file, ctx, "plain");
    for (storage = file.data; memcmp(storage, VALUES(0, 1, 2, 3, 4, 5), 24) != 0;)
        storage++;
    storage[9] ^= 1;
    ck_assert_int_eq(open_bytes(&weights, &source, ctx, "m.bin", file.data, file.length), 0);
    ck_assert_int_eq(fine__weights_read_floats(weights, fine__weights_find(weights, "b"), out), 0);
    ck_assert_int_eq(fine__weights_read_floats(weights, fine__weights_find(weights, "w"), out),
                     FINE_EFORMAT);
    ck_assert(was_found("memory/m.bin: damaged: the checksum of w is not"));
    fine__weights_free(weights);
    fine__source_free(source);
    fine__buf_free(&file);

    load(&file, ctx, "plain");
    for (storage = file.data; memcmp(storage, "OrderedDict", 11) != 0;)
        storage++;
    storage[0] = 'o';
    ck_assert_int_eq(try_file(ctx, file.data, file.length), FINE_EFORMAT);
    ck_assert(was_found("the checksum of data.pkl"));
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

static int
try_archive(fine_context *ctx, const char *const *names, const char *const *texts, int n)
{
    struct archive a;
    int rc;

    archive_begin(&a, ctx);
    for (int i = 0; i < n; i++)
        archive_put(&a, names[i], texts[i], strlen(texts[i]));
    archive_end(&a);
    rc = try_file(ctx, a.file.data, a.file.length);
    fine__buf_free(&a.file);
    return rc;
}

START_TEST(refuses_other_archives)
{
    static const char *const names[] = { "x/data.pkl", "x/byteorder", "x/constants.pkl" };
    static const char *const big[] = { "N.", "big", "" }, *const little[] = { "N.", "little", "" };
    static const char *const other[] = { "word/document.xml" };
    fine_context *ctx = new_context(1);
    struct fine__buf file;

    ck_assert_int_eq(try_archive(ctx, names, big, 2), FINE_EUNSUPPORTED);
    ck_assert(was_found("big-endian"));
    ck_assert_int_eq(try_archive(ctx, names, little, 3), FINE_EUNSUPPORTED);
    ck_assert(was_found("TorchScript"));
    ck_assert_int_eq(try_archive(ctx, names, little, 2), FINE_EUNSUPPORTED);
    ck_assert(was_found("no dictionary of tensors"));
    ck_assert_int_eq(try_archive(ctx, other, little, 1), FINE_EFORMAT);
    ck_assert(was_found("without data.pkl"));
    load(&file, ctx, "deflated");
    ck_assert_int_eq(try_file(ctx, file.data, file.length), FINE_EUNSUPPORTED);
    ck_assert(was_found("is compressed"));
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

/* In both forms, cut at every byte: it is damaged, and that is said. */
START_TEST(every_truncation_is_found)
{
    static const char *const names[] = { "views", "views-old", "train-old4" };
    fine_context *ctx = new_context(1);

    for (int i = 0; i < 3; i++) {
        struct fine__buf file;

        load(&file, ctx, names[i]);
        for (size_t n = 0; n < file.length; n++) {
            char *copy = malloc(n > 0 ? n : 1);

            memcpy(copy, file.data, n);
            ck_assert_msg(try_file(ctx, copy, n) == FINE_EFORMAT, "%s cut at %zu", names[i], n);
            ck_assert(was_found("memory/pytorch_model.bin: "));
            free(copy);
        }
        fine__buf_free(&file);
    }
    free_context(ctx);
}
END_TEST

#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define VERSION "M\xe9\3."
#define SYSTEM "}U\rlittle_endian\x88s."
#define OLD(text) try_file(ctx, text, sizeof text - 1)
#define TWO TENSOR_OF(STORAGE_OF("FloatStorage", "0", "K\2"), "K\0", "K\2", "K\1")

START_TEST(refuses_other_pickles)
{
    fine_context *ctx = new_context(1);

    ck_assert_int_eq(OLD("\x80\2}U\1aK\1s."), FINE_EUNSUPPORTED);
    ck_assert(was_found("not one that torch.save wrote"));
    ck_assert_int_eq(OLD("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x18."),
                     FINE_EUNSUPPORTED);
    ck_assert_int_eq(OLD("\x80\2"
                         "cos\nsystem\nU\1x\x85R."),
                     FINE_EUNSUPPORTED);
    ck_assert(was_found("os.system"));
    ck_assert_int_eq(OLD(MAGIC "M\xea\3."), FINE_EUNSUPPORTED);
    ck_assert(was_found("version 1002"));
    ck_assert_int_eq(OLD(MAGIC VERSION "}."), FINE_EFORMAT);
    ck_assert(was_found("what machine wrote it"));
    ck_assert_int_eq(OLD(MAGIC VERSION "}U\rlittle_endian\x89s."), FINE_EUNSUPPORTED);
    ck_assert(was_found("big-endian"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.N."), FINE_EFORMAT);
    ck_assert(was_found("the list of its storages"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.]."), FINE_EFORMAT);
    ck_assert(was_found("a storage is missing"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.]U\1xa."), FINE_EFORMAT);
    ck_assert(was_found("a storage is listed that no tensor has"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.]U\1"
                                              "0a.\2\0\0\0\0\0\0\0"
                                              "12345678"),
                     0);
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.]U\1"
                                              "0a.\3\0\0\0\0\0\0\0"
                                              "12345678"),
                     FINE_EFORMAT);
    ck_assert(was_found("count is not the one"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.]U\1"
                                              "0a.\2\0\0\0\0\0\0\0"
                                              "1234567"),
                     FINE_EFORMAT);
    ck_assert(was_found("truncated: a storage of 8 bytes"));
    ck_assert_int_eq(OLD(MAGIC VERSION SYSTEM "}U\1w" TWO "s.](U\1"
                                              "0U\1"
                                              "0e.\2\0\0\0\0\0\0\0"
                                              "1234567812345678"),
                     FINE_EFORMAT);
    ck_assert(was_found("or twice"));
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    static const char *const names[] = { "views", "views-old" };
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);

    for (int i = 0; i < 2; i++)
        for (int fail_at = 1;; fail_at++) {
            struct fine__weights *weights = NULL;
            char path[500], fingerprint[33];
            int rc;

            snprintf(path, sizeof path, CORPUS "%s", names[i]);
            faulty = (struct faulty){ .fail_at = fail_at };
            rc = fine__weights_open_path(&weights, ctx, path);
            if (rc == 0)
                rc = fine__weights_fingerprint(weights, fingerprint);
            fine__weights_free(weights);
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
            if (faulty.calls < fail_at) {
                ck_assert_int_eq(rc, 0);
                break;
            }
            ck_assert_msg(rc == FINE_ENOMEM, "%d: %d %s", fail_at, rc, fine_error_message());
        }
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_read)
{
    fine_context *ctx = new_context(1);

    use_faulty_io(ctx);
    io_errno = EIO;
    for (io_fail_at = 1;; io_fail_at++) {
        struct fine__weights *weights = NULL;
        char fingerprint[33];
        int rc;

        io_calls = 0;
        rc = fine__weights_open_path(&weights, ctx, CORPUS "views");
        if (rc == 0)
            rc = fine__weights_fingerprint(weights, fingerprint);
        fine__weights_free(weights);
        if (io_calls < io_fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert(rc == FINE_EIO || rc == 0);
    }
    free_context(ctx);
}
END_TEST

/* The memory limit holds for a view that repeats its storage. */
START_TEST(repeated_elements_take_no_memory_before_they_are_wanted)
{
    static const char pickle[] = DICT_OF(TENSOR("0", "K\0", "J\0\0\x40\0", "K\0"));
    fine_context *ctx = new_context(1);

    ck_assert_int_eq(try_pickle(ctx, pickle, sizeof pickle - 1), 0);
    ck_assert_int_lt(fine_context_peak_bytes(ctx), 300000);
    free_context(ctx);
}
END_TEST

/* Checkpoints of 2019, written from a GPU; compared with PyTorch's reading tensor by tensor
 * when the fingerprints were noted. */
START_TEST(reads_real_checkpoints)
{
    static const struct {
        const char *name, *fingerprint;
        int64_t count;
    } files[] = {
        { "resnet20-12fca82f.th", "b88ba4be037678bdfaabb071c5197cff", 97 },
        { "resnet32-d509ac18.th", "68297b90d21ff32d9bdfa601d880d5aa", 157 },
        { "resnet44-014dd654.th", "795efaa1787c4065f476bf04be614b4f", 217 },
        { "resnet56-4bfd9763.th", "fa599b94ef9329a64ce7574e505bca7c", 277 },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct fine__weights *weights;
        char path[500], fingerprint[33];

        snprintf(path, sizeof path, REAL "%s", files[i].name);
        if (!fine__file_exists(ctx, path)) {
            fprintf(stderr, "skipped: %s is not there\n", path);
            continue;
        }
        ck_assert_msg(fine__weights_open_path(&weights, ctx, path) == 0, "%s",
                      fine_error_message());
        ck_assert_int_eq(fine__weights_count(weights), files[i].count);
        ck_assert_int_ge(fine__weights_find(weights, "module.conv1.weight"), 0);
        ck_assert_int_eq(fine__weights_fingerprint(weights, fingerprint), 0);
        ck_assert_str_eq(fingerprint, files[i].fingerprint);
        fine__weights_free(weights);
    }
    free_context(ctx);
}
END_TEST

RUNNER("torch_file", reads_both_forms, is_the_same_as_safetensors, honours_strides,
       reads_every_type, unwraps_dictionaries, unwraps_so_deep_and_no_deeper,
       a_damaged_storage_is_found_when_it_is_read, refuses_other_archives,
       every_truncation_is_found, refuses_other_pickles, survives_any_failed_allocation,
       survives_any_failed_read, repeated_elements_take_no_memory_before_they_are_wanted,
       reads_real_checkpoints)
