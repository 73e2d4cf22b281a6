#include <finetune/tensors.h>
#include <math.h>

#include "tables.h"

enum { B = 2, T = 3 };

struct arrays {
    int64_t ids[B * T], mask[B * T], types[B * T], labels[B];
    float values[B];
};

static struct arrays
good(void)
{
    return (struct arrays){
        .ids = { 5, 6, 0, 7, 8, 9 }, .mask = { 1, 1, 0, 1, 1, 1 }, .types = { 0, 1, 1, 0, 0, 1 },
        .labels = { 2, 0 }, .values = { 0.5f, -1.0f },
    };
}

static int
encode(fine_dataset **out, fine_context *ctx, const struct arrays *a)
{
    const struct fine__encoded e = { B, T, a->ids, a->mask, a->types, a->labels, NULL };

    return fine__dataset_new_encoded(out, ctx, &e);
}

START_TEST(packs_rows)
{
    const struct arrays a = good();
    fine_context *ctx = new_context(1);
    const int64_t rows[] = { 1, 0, 1 };
    fine_dataset *d, *s;

    ck_assert_int_eq(encode(&d, ctx, &a), 0);
    ck_assert_int_eq(d->n_rows, 2);
    ck_assert_int_eq(d->id_offsets[1], 2);
    ck_assert_int_eq(d->id_offsets[2], 5);
    ck_assert(d->ids[1] == 6 && d->ids[2] == 7 && d->ids[4] == 9);
    ck_assert(d->types[1] == 1 && d->types[2] == 0 && d->types[4] == 1);
    ck_assert_int_eq(d->n_labels, 3);
    ck_assert_str_eq(d->labels[2], "2");
    ck_assert_int_eq(d->rows[0].label, 2);
    ck_assert_ptr_null(fine__dataset_text(d, 0));
    ck_assert_int_eq(fine__dataset_add(d, "a", NULL, "0", NULL), FINE_ESTATE);
    ck_assert_str_eq(fine__dataset_describe(d),
                     "{\"rows\":2,\"skipped\":0,\"labels\":{\"0\":1,\"1\":0,\"2\":1},"
                     "\"tokens\":{\"min\":2,\"max\":3,\"all\":5},"
                     "\"columns\":{\"used\":[],\"unused\":[]}}");
    ck_assert_int_eq(fine__dataset_select(&s, d, rows, 3), 0);
    ck_assert_int_eq(s->id_offsets[3], 8);
    ck_assert(s->ids[0] == 7 && s->ids[3] == 5 && s->ids[5] == 7 && s->types[4] == 1);
    ck_assert_int_eq(s->rows[1].label, 2);
    fine__dataset_unref(s);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_arrays)
{
    fine_context *ctx = new_context(1);
    struct arrays a;
    fine_dataset *d = NULL;

#define REFUSED(change, message)                               \
    a = good();                                                \
    change;                                                    \
    ck_assert_int_eq(encode(&d, ctx, &a), FINE_EDATA);         \
    ck_assert_str_eq(fine_error_message(), message);           \
    ck_assert_ptr_null(d)

    REFUSED(a.mask[0] = 0, "attention_mask: row 0 is not ones and then zeros; padding must be on "
                           "the right only, zeros after ones");
    REFUSED(a.mask[4] = 0, "attention_mask: row 1 is not ones and then zeros; padding must be on "
                           "the right only, zeros after ones");
    REFUSED(a.mask[4] = 2, "attention_mask: row 1 is not ones and then zeros; padding must be on "
                           "the right only, zeros after ones");
    REFUSED(a.mask[0] = a.mask[1] = 0, "attention_mask: row 0 is without a one; padding must be on "
                                       "the right only, zeros after ones");
    REFUSED(a.ids[4] = -1, "input_ids: row 1, position 1: -1 is no id");
    REFUSED(a.ids[4] = 2147483648, "input_ids: row 1, position 1: 2147483648 is no id");
    REFUSED(a.types[0] = -1, "token_type_ids: row 0, position 0: -1 is no type");
    REFUSED(a.labels[1] = -100, "labels: row 1: -100 is not from 0 to 65535");
    REFUSED(a.labels[1] = 65536, "labels: row 1: 65536 is not from 0 to 65535");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_shapes)
{
    const struct arrays a = good();
    struct fine__encoded e = { 0, T, a.ids, a.mask, NULL, NULL, NULL };
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    ck_assert_int_eq(fine__dataset_new_encoded(&d, ctx, &e), FINE_EDATA);
    e.n_rows = B;
    e.length = 0;
    ck_assert_int_eq(fine__dataset_new_encoded(&d, ctx, &e), FINE_EDATA);
    e.length = INT64_C(1) << 40;
    ck_assert_int_eq(fine__dataset_new_encoded(&d, ctx, &e), FINE_EDATA);
    e.length = T;
    e.n_rows = INT64_MAX / 4;
    ck_assert_int_eq(fine__dataset_new_encoded(&d, ctx, &e), FINE_EDATA);
    free_context(ctx);
}
END_TEST

static void
put(fine_tensors *t, const char *name, int32_t type, int64_t n_dims, int64_t d0, int64_t d1,
    const void *data)
{
    const int64_t shape[] = { d0, d1 };

    ck_assert_int_eq(fine_tensors_put(t, name, type, n_dims, shape, data), 0);
}

START_TEST(takes_tensors)
{
    const struct arrays a = good();
    fine_context *ctx = new_context(1);
    fine_tensors *t;
    fine_dataset *d = NULL;

    ck_assert_int_eq(fine_tensors_new(&t, ctx), 0);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "'input_ids' is missing; give input_ids and "
                     "attention_mask");
    put(t, "input_ids", FINE_I64, 1, B * T, 0, a.ids);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    put(t, "input_ids", FINE_I64, 2, B, T, a.ids);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "'attention_mask' is missing; give input_ids and "
                     "attention_mask");
    put(t, "attention_mask", FINE_I64, 2, T, B, a.mask);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    put(t, "attention_mask", FINE_I32, 2, B, T, a.mask);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "'attention_mask' must hold 64-bit integers (I64)");
    put(t, "attention_mask", FINE_I64, 2, B, T, a.mask);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), 0);
    ck_assert(d->types == NULL && !d->has_labels);
    ck_assert_int_eq(d->rows[0].label, -1);
    fine_dataset_free(d);
    put(t, "labels", FINE_I64, 1, B, 0, a.labels);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), 0);
    ck_assert_int_eq(fine_dataset_label(d, 0), 2);
    fine_dataset_free(d);
    put(t, "labels", FINE_F32, 2, B, 1, a.values);
    put(t, "token_type_ids", FINE_I64, 2, B, T, a.types);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), 0);
    ck_assert(d->content == FINE__ROWS_OF_NUMBERS && fine_dataset_value(d, 0) == 0.5);
    ck_assert_ptr_nonnull(d->types);
    fine_dataset_free(d);
    put(t, "labels", FINE_F32, 2, B, T, NULL);
    d = NULL;
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    ck_assert_ptr_null(d);
    put(t, "labels", FINE_F64, 1, B, 0, NULL);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, t), FINE_EDATA);
    fine_tensors_free(t);
    free_context(ctx);
}
END_TEST

RUNNER("encoded", packs_rows, refuses_bad_arrays, refuses_bad_shapes, takes_tensors)
