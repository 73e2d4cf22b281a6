/* test_batches.c — batches.c: order, packing, steps. */
#include "fake_model.h"

#include "train/batches.h"

static fine_context *ctx;
static fine_model *model;
static struct fine__examples examples;
static struct fine__batches batches;

static void
begin(int n_rows, int64_t batch_size, int64_t accumulate, int64_t seed)
{
    ctx = new_context(1);
    model = fake_model(ctx, FINE__CLASSIFY);
    fine_dataset *dataset = fake_rows(ctx, FINE__CLASSIFY, n_rows, 1);

    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
    ck_assert_int_eq(fine__batches_init(&batches, &examples, batch_size, accumulate, seed), 0);
    fine_dataset_free(dataset);
}

static void
end(void)
{
    fine__batches_free(&batches);
    fine__examples_free(&examples);
    fine__model_unref(model);
    free_context(ctx);
}

START_TEST(every_row_once_an_epoch)
{
    begin(103, 8, 1, 7);
    ck_assert_int_eq(batches.steps_per_epoch, 13);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        char seen[103] = { 0 };

        for (int64_t i = 0; i < 13; i++) {
            const struct fine__batch batch = fine__batches_pack(&batches, epoch, i);

            ck_assert_int_eq(batch.n_seqs, i < 12 ? 8 : 7);
            ck_assert_int_eq(batch.n_tokens, batch.offsets[batch.n_seqs]);
            for (int64_t j = 0; j < batch.n_seqs; j++) {
                const int64_t row = batches.order[i * 8 + j];
                const int64_t length = examples.offsets[row + 1] - examples.offsets[row];

                ck_assert_int_eq(batch.offsets[j + 1] - batch.offsets[j], length);
                ck_assert_mem_eq(batch.ids + batch.offsets[j], examples.ids + examples.offsets[row],
                                 (size_t)length * 4);
                ck_assert_int_eq(batch.labels[j], examples.labels[row]);
                seen[row]++;
            }
        }
        for (int i = 0; i < 103; i++)
            ck_assert_int_eq(seen[i], 1);
    }
    end();
}
END_TEST

START_TEST(order_follows_seed_and_epoch)
{
    int64_t first[50], other[50];

    begin(50, 8, 1, 7);
    (void)fine__batches_pack(&batches, 4, 0);
    memcpy(first, batches.order, sizeof first);
    (void)fine__batches_pack(&batches, 5, 0);
    ck_assert_mem_ne(batches.order, first, sizeof first);
    (void)fine__batches_pack(&batches, 4, 3);
    ck_assert_mem_eq(batches.order, first, sizeof first);
    end();
    begin(50, 8, 1, 8);
    (void)fine__batches_pack(&batches, 4, 0);
    memcpy(other, batches.order, sizeof other);
    ck_assert_mem_ne(other, first, sizeof first);
    end();
}
END_TEST

START_TEST(plans_steps)
{
    begin(103, 8, 4, 1);
    ck_assert_int_eq(batches.batches_per_epoch, 13);
    ck_assert_int_eq(batches.steps_per_epoch, 4);
    struct fine__step_plan plan = fine__batches_plan(&batches, 0);

    ck_assert_int_eq(plan.epoch, 0);
    ck_assert_int_eq(plan.first, 0);
    ck_assert_int_eq(plan.n_batches, 4);
    ck_assert_int_eq(plan.n_rows, 32);
    plan = fine__batches_plan(&batches, 7); /* the last of the second epoch */
    ck_assert_int_eq(plan.epoch, 1);
    ck_assert_int_eq(plan.first, 12);
    ck_assert_int_eq(plan.n_batches, 1);
    ck_assert_int_eq(plan.n_rows, 7);
    plan = fine__batches_plan(&batches, 4 * 3000000000 + 1);
    ck_assert_int_eq(plan.epoch, 3000000000);
    ck_assert_int_eq(plan.first, 4);
    end();
}
END_TEST

START_TEST(a_batch_larger_than_the_set)
{
    begin(5, 1000000000, 1000000000, 1);
    ck_assert_int_eq(batches.batch_size, 5);
    ck_assert_int_eq(batches.accumulate, 1);
    ck_assert_int_eq(batches.steps_per_epoch, 1);
    ck_assert_int_eq(fine__batches_pack(&batches, 0, 0).n_seqs, 5);
    ck_assert_int_eq(fine__batches_plan(&batches, 9).n_rows, 5);
    end();
    begin(1, 32, 1, 1);
    ck_assert_int_eq(fine__batches_pack(&batches, 0, 0).n_seqs, 1);
    end();
}
END_TEST

START_TEST(slices_in_the_order_of_the_data)
{
    int64_t offsets[8];

    begin(20, 4, 1, 1);
    const struct fine__batch batch = fine__batches_slice(&examples, 13, 7, offsets);

    ck_assert_int_eq(batch.n_seqs, 7);
    ck_assert_int_eq(batch.offsets[0], 0);
    ck_assert_int_eq(batch.n_tokens, examples.offsets[20] - examples.offsets[13]);
    ck_assert_ptr_eq(batch.ids, examples.ids + examples.offsets[13]);
    ck_assert_int_eq(batch.labels[6], examples.labels[19]);
    end();
}
END_TEST

RUNNER("batches", every_row_once_an_epoch, order_follows_seed_and_epoch, plans_steps,
       a_batch_larger_than_the_set, slices_in_the_order_of_the_data)
