/*
 * test_misfits.c — weights that don't fit the configuration, or aren't there: every one of them
 * a finding, before memory for them is asked for.
 */
#include "measured.h"

enum damage { DROPPED, RENAMED, RESHAPED, TURNED, RETYPED, N_DAMAGES };

/* The tiny weights with tensor `which` (-1: each of them) damaged. */
static fine_tensors *
damaged(int which, enum damage damage, int32_t type)
{
    struct shape shapes[MAX_SHAPES];
    const int n = tiny_shapes(shapes, "bert.", 3);
    static float values[WORDS * INNER * 2];
    fine_tensors *weights;

    OK(fine_tensors_new(&weights, ctx));
    for (int i = 0; i < n; i++) {
        struct shape s = shapes[i];
        const bool hit = which < 0 || i == which;
        const int64_t count = s.sizes[0] * (s.n_dims == 2 ? s.sizes[1] : 1);

        tiny_values(&shapes[i], (uint32_t)i, values);
        if (hit && damage == DROPPED)
            continue;
        if (hit && damage == RENAMED)
            (void)snprintf(s.name + strlen(s.name), sizeof s.name - strlen(s.name), "x");
        if (hit && (damage == RESHAPED || (damage == TURNED && s.sizes[0] == s.sizes[1]))) {
            s.n_dims = s.n_dims == 2 ? 1 : 2;
            s.sizes[0] = s.n_dims == 2 ? 1 : count;
            s.sizes[1] = count;
        } else if (hit && damage == TURNED) {
            s.sizes[0] = s.n_dims == 2 ? s.sizes[1] : 1;
            s.sizes[1] = shapes[i].sizes[0];
            s.n_dims = 2;
        }
        OK(fine_tensors_put(weights, s.name, hit && damage == RETYPED ? type : FINE_F32, s.n_dims,
                            s.sizes, values));
    }
    return weights;
}

static int
open_weights(fine_tensors *weights, fine_model **model)
{
    int64_t n;
    char *bytes = serialized(weights, &n);
    const struct fine_memory_file files[2] = { { "config.json", tiny_config,
                                                 (int64_t)strlen(tiny_config) },
                                               { "model.safetensors", bytes, n } };

    fine_tensors_free(weights);
    largest = 0;
    const int rc = fine_model_open_memory(model, ctx, files, 2, NULL);

    free(bytes);
    return rc;
}

/* The pooler may be absent, and a head is taken for none where its weight is gone. */
static bool
may_go(const char *name)
{
    return strstr(name, "pooler") != NULL;
}

START_TEST(each_tensor_damaged_in_turn)
{
    static const int32_t types[] = { FINE_I64, FINE_U8, FINE_BOOL, FINE_I32, FINE_U16 };
    struct shape shapes[MAX_SHAPES];
    const int n = tiny_shapes(shapes, "bert.", 3);

    for (int i = 0; i < n; i++)
        for (enum damage damage = DROPPED; damage < N_DAMAGES; damage++) {
            fine_model *model = NULL;
            const int rc = open_weights(damaged(i, damage, types[i % COUNT(types)]), &model);

            if (damage == DROPPED && may_go(shapes[i].name)) {
                OK(rc);
                fine_model_free(model);
                continue;
            }
            if (rc != FINE_ESHAPE)
                ck_abort_msg("%s, damage %d: %d %s", shapes[i].name, (int)damage, rc,
                             fine_error_message());
            if (strcmp(shapes[i].name, "classifier.weight") != 0 &&
                strstr(fine_error_message(), shapes[i].name) == NULL)
                ck_abort_msg("'%s' doesn't name %s", fine_error_message(), shapes[i].name);
            ck_assert_ptr_null(model);
            ck_assert_uint_le(largest, ENOUGH);
        }
}
END_TEST

/* Everything wrong at once: a finding for each, up to the hundred that are kept. */
START_TEST(all_tensors_damaged)
{
    struct shape shapes[MAX_SHAPES];
    const int n = tiny_shapes(shapes, "bert.", 3);

    for (enum damage damage = DROPPED; damage < N_DAMAGES; damage++) {
        fine_model *model = NULL;
        const int rc = open_weights(damaged(-1, damage, FINE_I64), &model);
        int n_findings = 0, n_named = 0;

        if (damage == DROPPED)
            ck_assert_int_lt(rc, 0);
        else
            ck_assert_int_eq(rc, FINE_ESHAPE);
        for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
            n_findings++;
        for (int i = 0; i < n; i++)
            for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
                if (strstr(m, shapes[i].name) != NULL) {
                    n_named++;
                    break;
                }
        ck_assert_int_le(n_findings, 100);
        if (damage == RETYPED)
            ck_assert_int_eq(n_named, n);
        else /* without its weight there is no head, and maybe no prefix */
            ck_assert_int_ge(damage == RESHAPED || damage == TURNED ? 1 : n_findings, 1);
    }
}
END_TEST

/* As before, but with the head in order, so that every other tensor is compared. */
START_TEST(every_misfit_is_listed)
{
    struct shape shapes[MAX_SHAPES];
    const int n = tiny_shapes(shapes, "bert.", 3);
    static float zeros[WORDS * INNER * 2];
    fine_tensors *weights;
    fine_model *model = NULL;

    OK(fine_tensors_new(&weights, ctx));
    for (int i = 0; i < n; i++) {
        const bool head = strstr(shapes[i].name, "classifier") != NULL;
        const int64_t wrong[2] = { shapes[i].sizes[0] + 1, shapes[i].sizes[1] };

        OK(fine_tensors_put(weights, shapes[i].name, FINE_F32, shapes[i].n_dims,
                            head ? shapes[i].sizes : wrong, zeros));
    }
    for (int i = 0; i < 3; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "bert.extra.%d", i);
        OK(fine_tensors_put(weights, name, FINE_F32, 1, &shapes[0].sizes[1], zeros));
    }
    ck_assert_int_eq(open_weights(weights, &model), FINE_ESHAPE);
    int n_findings = 0;

    for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
        n_findings++;
    ck_assert_int_eq(n_findings, n - 2 + 3);
}
END_TEST

/* Weights of no type that a model could have, no weights at all, and no folder. */
START_TEST(files_that_are_not_there)
{
    char *folder = new_folder();
    fine_model *model = NULL;

    FAILS(FINE_EIO, fine_model_open(&model, ctx, inside(folder, "nowhere"), NULL));
    FAILS(FINE_EIO, fine_model_open(&model, ctx, folder, NULL));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "config.json"));
    write_tiny(ctx, folder, "", 0);
    FAILS(FINE_EIO, fine_model_open(&model, ctx, inside(folder, "config.json"), NULL));
    ck_assert_int_eq(unlink(inside(folder, "model.safetensors")), 0);
    ck_assert_int_lt(fine_model_open(&model, ctx, folder, NULL), 0);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "model.safetensors"));
    write_file(folder, "model.safetensors", "", 0);
    FAILS(FINE_EFORMAT, fine_model_open(&model, ctx, folder, NULL));
    write_file(folder, "model.safetensors", "version https://git-lfs.github.com/spec/v1\n", 43);
    FAILS(FINE_EFORMAT, fine_model_open(&model, ctx, folder, NULL));
    write_tiny(ctx, folder, "", 0);
    write_file(folder, "vocab.txt", "[PAD]\n[UNK]\n", 12);
    ck_assert_int_lt(fine_model_open(&model, ctx, folder, NULL), 0);
    write_file(folder, "vocab.txt", "", 0);
    ck_assert_int_lt(fine_model_open(&model, ctx, folder, NULL), 0);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    remove_folder(folder);
}
END_TEST

/* The file cut at every boundary between tensors, and before and behind each. */
START_TEST(truncated_weights)
{
    char *folder = new_folder();
    int64_t n;
    fine_model *model = NULL;

    write_tiny(ctx, folder, "", 0);
    char *bytes = read_file(folder, "model.safetensors", &n);

    for (int64_t cut = 0; cut < n; cut += cut < 16 || cut > n - 70 ? 1 : 64) {
        write_file(folder, "model.safetensors", bytes, (size_t)cut);
        FAILS(FINE_EFORMAT, fine_model_open(&model, ctx, folder, NULL));
    }
    ck_assert_ptr_null(model);
    free(bytes);
    remove_folder(folder);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { each_tensor_damaged_in_turn, all_tensors_damaged,
                                   every_misfit_is_listed, files_that_are_not_there,
                                   truncated_weights };

    return run_tests_with(setup, teardown, "misfits", tests, COUNT(tests));
}
