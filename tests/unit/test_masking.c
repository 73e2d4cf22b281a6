/* test_masking.c — masking.c and documents.c: what is guessed, what is shown, what follows. */
#include "fake_model.h"

#include "train/batches.h"
#include "train/masking.h"

enum { W = FAKE_SPECIAL, CLS = 2, SEP = 3, MASK = 4 };

static fine_context *ctx;
static fine_model *model;
static struct fine__examples examples;

/* n_words different words a row, n rows. */
static fine_dataset *
rows(int n_rows, int n_words, const char *task)
{
    struct fine_dataset_options options;
    fine_dataset *d;

    fine__dataset_defaults(&options);
    options.task = task;
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    for (int i = 0; i < n_rows; i++) {
        char text[4000] = "";

        for (int j = 0; j < n_words; j++)
            sprintf(text + strlen(text), "w%d ", (i + j) % FAKE_WORDS);
        ck_assert_int_eq(fine__dataset_add(d, text, NULL, NULL, NULL), 0);
    }
    return d;
}

static void
begin(enum fine__task task)
{
    ctx = new_context(2);
    model = fake_model(ctx, task);
    model->end_id = -1;
    model->mask_rate = 0.15;
}

static void
encode(fine_dataset *d)
{
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), 0);
    fine__dataset_unref(d);
}

static void
end(void)
{
    fine__examples_free(&examples);
    fine__model_unref(model);
    free_context(ctx);
}

START_TEST(shares)
{
    int64_t n = 0, chosen = 0, masked = 0, kept = 0, others = 0;
    int32_t ids[12], labels[12];

    begin(FINE__FILL_MASK);
    encode(rows(2000, 10, "fill-mask"));
    ck_assert_int_eq(examples.n_rows, 2000);
    for (int64_t i = 0; i < examples.n_rows; i++) {
        int64_t mine = 0;

        ck_assert_int_eq(examples.offsets[i + 1] - examples.offsets[i], 12);
        fine__mask_examples(&examples, 7, 0, i, 1, ids, labels);
        ck_assert(ids[0] == CLS && ids[11] == SEP && labels[0] == -1 && labels[11] == -1);
        for (int j = 1; j < 11; j++) {
            const int32_t id = examples.ids[examples.offsets[i] + j];

            n++;
            if (labels[j] < 0) {
                ck_assert_int_eq(ids[j], id);
                continue;
            }
            mine++;
            ck_assert_int_eq(labels[j], id);
            masked += ids[j] == MASK;
            kept += ids[j] == id;
            others += ids[j] != id && ids[j] != MASK;
        }
        ck_assert_int_ge(mine, 1);
        chosen += mine;
    }
    /* 0.15, and one where there would be none: 0.85^10 / 10 more */
    ck_assert(fabs((double)chosen / (double)n - 0.1697) < 0.01);
    ck_assert(fabs((double)masked / (double)chosen - 0.8) < 0.03);
    ck_assert(fabs((double)kept / (double)chosen - 0.1) < 0.03);
    ck_assert(fabs((double)others / (double)chosen - 0.1) < 0.03);
    end();
}
END_TEST

START_TEST(drawn_anew_each_epoch)
{
    int32_t ids[3][120], labels[3][120], again[120], again_labels[120];

    begin(FINE__FILL_MASK);
    encode(rows(10, 10, "fill-mask"));
    for (int epoch = 0; epoch < 3; epoch++)
        fine__mask_examples(&examples, 7, epoch - 1, 0, 10, ids[epoch], labels[epoch]);
    ck_assert_mem_ne(labels[0], labels[1], sizeof labels[0]);
    ck_assert_mem_ne(labels[1], labels[2], sizeof labels[0]);
    /* one by one, and in any order, they are the same */
    for (int i = 9; i >= 0; i--)
        fine__mask_examples(&examples, 7, 1, i, 1, again + 12 * i, again_labels + 12 * i);
    ck_assert_mem_eq(again, ids[2], sizeof again);
    ck_assert_mem_eq(again_labels, labels[2], sizeof again);
    end();
}
END_TEST

START_TEST(batches_are_masked)
{
    struct fine__batches batches;
    int32_t ids[12], labels[12];

    begin(FINE__FILL_MASK);
    encode(rows(10, 4, "fill-mask"));
    /* twelve ids a block, six a row */
    ck_assert_int_eq(examples.n_rows, 10);
    ck_assert_int_eq(examples.n_blocks, 5);
    ck_assert_int_eq(fine__batches_init(&batches, &examples, 2, 1, 3), 0);
    ck_assert_int_eq(batches.steps_per_epoch, 3);
    for (int64_t step = 0; step < 3; step++) {
        const struct fine__batch batch = fine__batches_pack(&batches, 1, step);

        ck_assert_int_eq(batch.n_seqs, step < 2 ? 4 : 2);
        for (int64_t i = 0; i < batch.n_seqs; i++) {
            const int64_t row = 2 * batches.order[2 * step + i / 2] + i % 2;

            fine__mask_examples(&examples, 3, 1, row, 1, ids, labels);
            ck_assert_mem_eq(ids, batch.ids + batch.offsets[i], 6 * sizeof *ids);
            ck_assert_mem_eq(labels, batch.labels + batch.offsets[i], 6 * sizeof *ids);
        }
    }
    fine__batches_free(&batches);
    end();
}
END_TEST

START_TEST(long_texts_are_cut)
{
    begin(FINE__FILL_MASK);
    encode(rows(1, 25, "fill-mask"));
    ck_assert_int_eq(examples.n_rows, 3);       /* 10, 10 and 5 words */
    ck_assert_int_eq(examples.offsets[3], 12 + 12 + 7);
    ck_assert(examples.ids[12] == CLS && examples.ids[13] == W + 10 && examples.ids[30] == SEP);
    ck_assert_int_eq(fine__examples_row(&examples, 2), 0);
    ck_assert_int_eq(examples.n_truncated, 0);
    end();
}
END_TEST

START_TEST(what_cannot_be_masked)
{
    struct fine_dataset_options options;
    fine_dataset *d;

    begin(FINE__FILL_MASK);
    fine__dataset_defaults(&options);
    options.task = "fill-mask";
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, "w1", "w2", NULL, NULL), 0);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "data 'memory': fill-mask reads one text a row; leave "
                                           "text_pair out");
    fine__dataset_unref(d);
    d = rows(3, 0, "fill-mask");
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "data 'memory': no text is long enough to learn from");
    fine__dataset_unref(d);
    fine__model_unref(model);
    free_context(ctx);
}
END_TEST

/* ---- what follows ---- */

START_TEST(each_id_is_labelled_with_the_next)
{
    begin(FINE__LANGUAGE_MODEL);
    model->end_id = 1;
    encode(rows(2, 14, "language-model"));
    /* fourteen ids and their end: pieces of twelve and of two, which end with the end */
    ck_assert_int_eq(examples.n_rows, 4);
    ck_assert_int_eq(examples.offsets[1], 12);
    ck_assert_int_eq(examples.offsets[2], 14);
    for (int i = 0; i < 14; i++) {
        ck_assert_int_eq(examples.ids[i], W + i);
        ck_assert_int_eq(examples.labels[i], i < 13 ? W + i + 1 : 1);
    }
    ck_assert_int_eq(examples.ids[14], W + 1);
    ck_assert(examples.labels_per_id && examples.row_of[1] == 0 && examples.row_of[2] == 1);
    /* [12] [2] | [12] [2]: a block takes no more than twelve ids */
    ck_assert_int_eq(examples.n_blocks, 4);
    end();
    begin(FINE__LANGUAGE_MODEL);
    encode(rows(3, 3, "language-model"));       /* no end: the last id has nothing after it */
    ck_assert_int_eq(examples.offsets[3], 6);
    ck_assert_int_eq(examples.labels[1], W + 2);
    ck_assert_int_eq(examples.n_blocks, 1);
    end();
}
END_TEST

START_TEST(a_prompt_is_not_learned)
{
    struct fine_dataset_options options;
    fine_dataset *d;

    begin(FINE__LANGUAGE_MODEL);
    model->end_id = 1;
    fine__dataset_defaults(&options);
    options.task = "language-model";
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, "w1 w2 w3", "w4 w5", NULL, NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9", "w10 w11 w12 w13", NULL,
                                       NULL), 0);
    encode(d);
    static const int32_t labels[5] = { -1, -1, W + 4, W + 5, 1 };

    ck_assert_int_eq(examples.offsets[1], 5);
    ck_assert_mem_eq(examples.labels, labels, sizeof labels);
    /* fourteen ids: the prompt's first two give way */
    ck_assert_int_eq(examples.offsets[2], 5 + 12);
    ck_assert_int_eq(examples.ids[5], W + 2);
    ck_assert_int_eq(examples.labels[5 + 6], -1);
    ck_assert_int_eq(examples.labels[5 + 7], W + 10);
    ck_assert_int_eq(examples.labels[5 + 11], 1);
    ck_assert_int_eq(examples.n_truncated, 1);
    ck_assert_ptr_null(examples.blocks);
    end();
}
END_TEST

/* Every allocation fails in turn. */
START_TEST(out_of_memory)
{
    static const enum fine__task tasks[] = { FINE__FILL_MASK, FINE__LANGUAGE_MODEL };
    struct faulty faulty;

    for (int k = 0; k < 2; k++) {
        ctx = new_faulty_context(&faulty, 1);
        model = fake_model(ctx, tasks[k]);
        model->mask_rate = 0.5;
        model->whole_words = k == 0;
        model->end_id = 1;
        fine_dataset *d = rows(5, 30, k == 0 ? "fill-mask" : "language-model");
        int rc = FINE_ENOMEM;

        for (long long i = 1; rc == FINE_ENOMEM; i++) {
            faulty.calls = 0;
            faulty.fail_at = i;
            rc = fine__examples_encode(&examples, model, d, "data");
            faulty.fail_at = 0;
        }
        ck_assert_int_eq(rc, 0);
        fine__dataset_unref(d);
        end();
    }
}
END_TEST

RUNNER("masking", shares, drawn_anew_each_epoch, batches_are_masked, long_texts_are_cut,
       what_cannot_be_masked, each_id_is_labelled_with_the_next, a_prompt_is_not_learned,
       out_of_memory)
