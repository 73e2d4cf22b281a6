/* Reading tensors: types, alignment, files that change, fingerprints. */
#include <math.h>
#include <stdio.h>

#include "faulty_io.h"
#include "weight_files.h"

#define TORCH SOURCE_ROOT "/tests/fuzz/corpus/torchfile/"

enum { MANY = 20 };

START_TEST(converts_to_float)
{
    static const char header[] =
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,6]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[6,10]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[10,26]},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[26,30]},"
        "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[30,34]}}";
    static const uint16_t halves[] = { 0x3c00, 0xc100, 0x0001 }, brains[] = { 0x3f80, 0xc020 };
    static const double doubles[] = { 0.1, -1e30 };
    static const uint32_t signalling = 0x7fa00001;
    fine_context *ctx = new_context(1);
    struct fine__weights *weights;
    struct fine__source *source;
    struct fine__buf file;
    float out[3];

    fine__buf_init(&file, ctx);
    make_file(&file, header, strlen(header), -1, 0);
    fine__buf_append(&file, halves, sizeof halves);
    fine__buf_append(&file, brains, sizeof brains);
    fine__buf_append(&file, doubles, sizeof doubles);
    fine__buf_append(&file, &signalling, sizeof signalling);
    fine__buf_append(&file, "\1\0\0\0", 4);
    ck_assert_int_eq(open_bytes(&weights, &source, ctx, "m", file.data, file.length), 0);
    ck_assert_int_eq(fine__weights_read_floats(weights, 0, out), 0);
    ck_assert(out[0] == 1.0f && out[1] == -2.5f && out[2] == ldexpf(1, -24));
    ck_assert_int_eq(fine__weights_read_floats(weights, 1, out), 0);
    ck_assert(out[0] == 1.0f && out[1] == -2.5f);
    ck_assert_int_eq(fine__weights_read_floats(weights, 2, out), 0);
    ck_assert(out[0] == 0.1f && out[1] == -1e30f);
    ck_assert_int_eq(fine__weights_read_floats(weights, 3, out), 0);
    ck_assert_mem_eq(out, &signalling, 4);
    ck_assert_int_eq(fine__weights_read_floats(weights, 4, out), FINE_ESHAPE);
    ck_assert(was_found("tensor 'i' holds I32"));
    ck_assert_str_eq(fine__weights_file(weights, 4), "memory/m");
    ck_assert_int_eq(fine__weights_find(weights, "d"), 2);
    ck_assert_int_eq(fine__weights_find(weights, "x"), -1);
    fine__weights_free(weights);
    fine__weights_free(NULL);
    fine__source_free(source);
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

/* More than one chunk, at an odd place in the file. */
START_TEST(reads_in_chunks)
{
    enum { N = 700001 };
    static const int64_t shape[] = { N }, one[] = { 1 };
    fine_context *ctx = new_context(1);
    uint16_t *halves = malloc(N * sizeof *halves);
    float *out = malloc(N * sizeof *out);
    const struct fine__weight_out entries[] = { { "odd", one, 1, FINE_U8, "x" },
                                                { "h", shape, 1, FINE_BF16, halves } };
    struct fine__weights *weights;
    struct fine__source *source;
    struct fine__buf file;

    for (int i = 0; i < N; i++)
        halves[i] = (uint16_t)(i * 40503);
    fine__buf_init(&file, ctx);
    ck_assert_int_eq(fine__safetensors_append(&file, entries, 2, NULL, 0), 0);
    ck_assert_int_eq(open_bytes(&weights, &source, ctx, "m", file.data, file.length), 0);
    ck_assert_int_eq(fine__weights_read_floats(weights, 1, out), 0);
    for (int i = 0; i < N; i++) {
        const uint32_t bits = (uint32_t)halves[i] << 16;

        ck_assert_mem_eq(&out[i], &bits, 4);
    }
    fine__weights_free(weights);
    fine__source_free(source);
    fine__buf_free(&file);
    free(halves);
    free(out);
    free_context(ctx);
}
END_TEST

static void
write_many(fine_context *ctx, const char *path)
{
    static const int64_t shape[] = { 5 };
    struct fine__weight_out entries[MANY];
    char names[MANY][8];
    float data[MANY][5];

    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        for (int k = 0; k < 5; k++)
            data[i][k] = (float)(10 * i + k);
        entries[i] = (struct fine__weight_out){ names[i], shape, 1, FINE_F32, data[i] };
    }
    ck_assert_int_eq(fine__safetensors_write(ctx, path, entries, MANY, NULL, 0), 0);
}

/* The file shrinks after it was opened, at every tensor's boundary and around it. */
START_TEST(a_file_that_shrinks_is_an_error)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "m");

    use_faulty_io(ctx); /* for its fsync(), which doesn't wait */
    for (int cut = 0; cut < MANY; cut++) {
        for (int more = -1; more <= 1; more++) {
            struct fine__weights *weights;
            float out[5];
            off_t data;

            write_many(ctx, path);
            ck_assert_int_eq(fine__weights_open_path(&weights, ctx, path), 0);
            {
                struct fine__file file;

                ck_assert_int_eq(fine__file_open(&file, ctx, path), 0);
                data = (off_t)file.size - MANY * 20;
                fine__file_close(&file);
            }
            ck_assert_int_eq(truncate(path, data + cut * 20 + more), 0);
            for (int i = 0; i < MANY; i++) {
                const bool whole = 20 * (i + 1) <= cut * 20 + more;

                ck_assert_int_eq(fine__weights_read_floats(weights, i, out),
                                 whole ? 0 : FINE_EFORMAT);
                if (whole)
                    ck_assert(out[4] == (float)(10 * i + 4));
                else
                    ck_assert(was_found("truncated"));
            }
            fine__weights_free(weights);
        }
    }
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* Replaced or grown files don't disturb who opened the old one; saving onto the path that
 * was loaded gives the same file. */
START_TEST(saving_onto_what_was_loaded)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "m");
    struct fine__weights *weights;
    struct fine__weight_out entries[MANY];
    float data[MANY][5];
    struct fine__buf before, after;

    write_many(ctx, path);
    fine__buf_init(&before, ctx);
    fine__buf_init(&after, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &before), 0);
    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, path), 0);
    ck_assert_int_eq(fine__file_append(ctx, path, "grown", 5), 0);
    for (int i = 0; i < MANY; i++) {
        const struct fine__weight *weight = fine__weights_at(weights, i);

        ck_assert_int_eq(fine__weights_read_raw(weights, i, data[i]), 0);
        entries[i] = (struct fine__weight_out){ weight->name, weight->shape, weight->n_dims,
                                                weight->type, data[i] };
    }
    ck_assert_int_eq(fine__safetensors_write(ctx, path, entries, MANY, NULL, 0), 0);
    ck_assert_int_eq(fine__weights_read_raw(weights, 3, data[0]), 0);
    ck_assert(data[0][0] == 30.0f);
    fine__weights_free(weights);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &after), 0);
    ck_assert_uint_eq(after.length, before.length);
    ck_assert_mem_eq(after.data, before.data, before.length);
    fine__buf_free(&before);
    fine__buf_free(&after);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static void
fingerprint(fine_context *ctx, const struct fine__weight_out *entries, int64_t count, char out[33])
{
    struct fine__weights *weights;
    struct fine__source *source;
    struct fine__buf file;

    fine__buf_init(&file, ctx);
    ck_assert_int_eq(fine__safetensors_append(&file, entries, count, NULL, 0), 0);
    ck_assert_int_eq(open_bytes(&weights, &source, ctx, "m", file.data, file.length), 0);
    ck_assert_int_eq(fine__weights_fingerprint(weights, out), 0);
    ck_assert_uint_eq(strlen(out), 32);
    fine__weights_free(weights);
    fine__source_free(source);
    fine__buf_free(&file);
}

START_TEST(fingerprints_tell_weights_apart)
{
    static const int64_t shape[] = { 2, 3 }, turned[] = { 3, 2 };
    static const float data[] = { 1, 2, 3, 4, 5, 6 }, other[] = { 1, 2, 3, 4, 5, -6 };
    const struct fine__weight_out base[] = { { "a", shape, 2, FINE_F32, data },
                                             { "b", shape, 1, FINE_F32, data } };
    const struct fine__weight_out swapped[] = { base[1], base[0] };
    struct fine__weight_out changed[2];
    fine_context *ctx = new_context(1);
    char first[33], second[33];

    fingerprint(ctx, base, 2, first);
    fingerprint(ctx, swapped, 2, second);
    ck_assert_str_eq(first, second);
    for (int i = 0; i < 5; i++) {
        memcpy(changed, base, sizeof changed);
        if (i == 0)
            changed[0].data = other;
        else if (i == 1)
            changed[0].shape = turned;
        else if (i == 2)
            changed[0].name = "c";
        else if (i == 3)
            changed[0].type = FINE_I32;
        fingerprint(ctx, changed, i == 4 ? 1 : 2, second);
        ck_assert_str_ne(first, second);
    }
    free_context(ctx);
}
END_TEST

START_TEST(finds_the_weights_of_a_folder)
{
    fine_context *ctx = new_context(1);
    struct fine__weights *weights = NULL;
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "model.safetensors");
    struct fine__buf torch;

    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, folder), FINE_EIO);
    ck_assert(was_found("neither model.safetensors nor"));
    fine__free(ctx, path);
    path = fine__path_join(ctx, folder, "tf_model.h5");
    ck_assert_int_eq(fine__file_write(ctx, path, "x", 1), 0);
    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, folder), FINE_EUNSUPPORTED);
    ck_assert(was_found("only there as 'tf_model.h5'") && was_found("safe_serialization"));
    fine__free(ctx, path);
    path = fine__path_join(ctx, folder, "pytorch_model.bin");
    fine__buf_init(&torch, ctx);
    ck_assert_int_eq(fine__file_read(ctx, TORCH "plain", 1 << 20, &torch), 0);
    ck_assert_int_eq(fine__file_write(ctx, path, torch.data, torch.length), 0);
    fine__buf_free(&torch);
    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, folder), 0);
    ck_assert_int_eq(fine__weights_count(weights), 2);
    fine__weights_free(weights);
    fine__free(ctx, path);
    path = fine__path_join(ctx, folder, "model.safetensors");
    write_many(ctx, path);
    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, folder), 0);
    ck_assert_int_eq(fine__weights_count(weights), MANY);
    fine__weights_free(weights);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* Shards of PyTorch's, by their index. */
START_TEST(opens_shards_of_pytorch)
{
    static const char index[] =
        "{\"weight_map\":{\"w\":\"plain\",\"b\":\"plain\",\"float16\":\"kinds\"}}";
    static const char *const names[] = { "plain", "kinds" };
    struct fine_memory_file files[3] = { { "pytorch_model.bin.index.json", index,
                                           sizeof index - 1 } };
    fine_context *ctx = new_context(1);
    struct fine__weights *weights;
    struct fine__source *source;
    struct fine__buf shards[2];
    float out[6];

    for (int i = 0; i < 2; i++) {
        char path[500];

        snprintf(path, sizeof path, TORCH "%s", names[i]);
        fine__buf_init(&shards[i], ctx);
        ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &shards[i]), 0);
        files[i + 1] =
            (struct fine_memory_file){ names[i], shards[i].data, (int64_t)shards[i].length };
    }
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, files, 3), 0);
    ck_assert(fine__weights_are_in(source));
    ck_assert_msg(fine__weights_open(&weights, ctx, source) == 0, "%s", fine_error_message());
    ck_assert_int_eq(fine__weights_count(weights), 12);
    ck_assert_int_eq(fine__weights_read_floats(weights, fine__weights_find(weights, "w"), out), 0);
    ck_assert(out[5] == 5.0f);
    fine__weights_free(weights);
    fine__source_free(source);
    /* Two shards with one name of a tensor. */
    files[2] = files[1];
    files[2].name = "kinds";
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, files, 3), 0);
    ck_assert_int_eq(fine__weights_open(&weights, ctx, source), FINE_EFORMAT);
    ck_assert(was_found("tensor 'w' stands in two shards"));
    fine__source_free(source);
    for (int i = 0; i < 2; i++)
        fine__buf_free(&shards[i]);
    free_context(ctx);
}
END_TEST

/* One file is all there is: whatever its name. */
START_TEST(one_file_can_be_a_source)
{
    fine_context *ctx = new_context(1);
    struct fine__weights *weights;
    struct fine__source *source;

    ck_assert_int_eq(fine__source_open_file(&source, ctx, TORCH "plain-old"), 0);
    ck_assert(fine__weights_are_in(source));
    ck_assert_int_eq(fine__weights_open(&weights, ctx, source), 0);
    ck_assert_int_eq(fine__weights_count(weights), 2);
    fine__weights_free(weights);
    fine__source_free(source);
    ck_assert_int_eq(fine__source_open_file(&source, ctx, TORCH "../safetensors/index"), 0);
    ck_assert_int_eq(fine__weights_open(&weights, ctx, source), FINE_EFORMAT);
    ck_assert(was_found("not safetensors"));
    fine__source_free(source);
    free_context(ctx);
}
END_TEST

RUNNER("weights", converts_to_float, reads_in_chunks, a_file_that_shrinks_is_an_error,
       saving_onto_what_was_loaded, fingerprints_tell_weights_apart, finds_the_weights_of_a_folder,
       opens_shards_of_pytorch, one_file_can_be_a_source)
