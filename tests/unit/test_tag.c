/*
 * test_tag.c — tag.c: entities to the tags of ids and back, and entities counted as seqeval
 * (1.2.2, default mode) counts them.
 */
#include "fake_model.h"

#include "train/evaluate.h"
#include "train/taskwork.h"

static fine_context *ctx;
static fine_model *model;

/* "New York-based" and the like in pieces. */
static fine_tokenizer *
tokenizer_of_pieces(void)
{
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nnew\nyork\n-\nbased\n"
                                     "par\n##is\n.\nin\n,\n##ian\n";
    const struct fine_memory_file file = { "vocab.txt", vocabulary, sizeof vocabulary - 1 };
    struct fine__source *source;
    fine_tokenizer *tokenizer;

    ck_assert_int_eq(fine__source_open_memory(&source, ctx, &file, 1), 0);
    ck_assert_int_eq(fine__tokenizer_open(&tokenizer, ctx, source), 0);
    fine__source_free(source);
    return tokenizer;
}

static void
begin(const char *const *labels, int64_t n_labels)
{
    ctx = new_context(2);
    model = fake_model(ctx, FINE__TAG);
    model->max_length = 12;
    model->n_labels = n_labels;
    model->labels = fine__alloc_array(ctx, (size_t)n_labels, sizeof *model->labels);
    for (int64_t i = 0; i < n_labels; i++)
        model->labels[i] = fine__strdup(ctx, labels[i]);
    fine__tokenizer_unref(model->tokenizer);
    model->tokenizer = tokenizer_of_pieces();
}

static void
end(void)
{
    fine__model_unref(model);
    free_context(ctx);
}

static const char *const tags[] = { "B-LOC", "B-PER", "I-LOC", "I-PER", "O" };

static fine_dataset *
parse(const char *name, const char *text, const char *on_bad_row)
{
    struct fine_dataset_options options;
    struct fine__buf bytes;
    fine_dataset *d = NULL;

    fine__dataset_defaults(&options);
    options.task = "tag";
    options.on_bad_row = on_bad_row;
    fine__buf_init(&bytes, ctx);
    fine__buf_text(&bytes, text);
    ck_assert_msg(fine__dataset_parse(&d, ctx, name, &bytes, &options) == 0, "%s",
                  fine_error_message());
    return d;
}

/* "[-1 0 2 -1]": the labels of each example's ids. */
static const char *
labels_of(const struct fine__examples *examples)
{
    static char all[1000];
    size_t n = 0;

    for (int64_t i = 0; i < examples->n_rows; i++)
        for (int64_t id = examples->offsets[i]; id < examples->offsets[i + 1]; id++)
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%d%s",
                                  id == examples->offsets[i] ? "[" : " ",
                                  (int)examples->labels[id],
                                  id + 1 == examples->offsets[i + 1] ? "]" : "");
    return all;
}

static void
check_labels(const char *name, const char *text, const char *expected)
{
    fine_dataset *d = parse(name, text, NULL);
    struct fine__examples examples;

    ck_assert_msg(fine__examples_encode(&examples, model, d, "data") == 0, "%s",
                  fine_error_message());
    ck_assert_str_eq(labels_of(&examples), expected);
    ck_assert(examples.labels_per_id);
    fine__examples_free(&examples);
    fine__dataset_unref(d);
}

START_TEST(labels_first_pieces)
{
    begin(tags, 5);
    /* [CLS] new york - based par ##is . [SEP] */
    check_labels("t.conll", "New B-LOC\nYork-based I-LOC\nParis B-PER\n. O\n",
                 "[-1 0 2 -1 -1 1 -1 4 -1]");
    check_labels("t.jsonl", "{\"text\":\"New York-based  Paris.\",\"spans\":["
                            "{\"start\":0,\"end\":8,\"label\":\"LOC\"},"
                            "{\"start\":16,\"end\":21,\"label\":\"PER\"}]}\n",
                 "[-1 0 2 4 4 1 -1 4 -1]");
    model->label_all_pieces = true;
    check_labels("t.conll", "New B-LOC\nYork-based I-LOC\nParis B-PER\n. O\n",
                 "[-1 0 2 2 2 1 3 4 -1]");
    model->words = FINE__WORDS_TOKENIZER;
    model->label_all_pieces = false;
    check_labels("t.conll", "New B-LOC\nYork-based I-LOC\nParis B-PER\n. O\n",
                 "[-1 0 2 2 2 1 -1 4 -1]");
    end();
}
END_TEST

START_TEST(speaks_other_schemes)
{
    static const char *const bioes[] = { "O", "B-LOC", "I-LOC", "E-LOC", "S-LOC" };
    static const char *const plain[] = { "O", "LOC" };

    begin(bioes, 5);
    check_labels("t.conll", "New B-LOC\nYork I-LOC\nin I-LOC\nParis B-LOC\n. O\n",
                 "[-1 1 2 3 4 -1 0 -1]");
    end();
    begin(plain, 2);
    check_labels("t.conll", "New B-LOC\nYork I-LOC\nin O\n", "[-1 1 1 0 -1]");
    end();
}
END_TEST

START_TEST(refuses_what_fits_no_words)
{
    static const char text[] =
        "{\"text\":\"Parisian new\",\"spans\":[{\"start\":0,\"end\":5,\"label\":\"LOC\"}]}\n"
        "{\"text\":\"new Paris\",\"spans\":[{\"start\":4,\"end\":9,\"label\":\"LOC\"}]}\n"
        "{\"text\":\"new york\",\"spans\":[{\"start\":1,\"end\":8,\"label\":\"LOC\"}]}\n"
        "{\"text\":\"new  york\",\"spans\":[{\"start\":3,\"end\":5,\"label\":\"LOC\"}]}\n";
    struct fine__examples examples;
    fine_dataset *d;

    begin(tags, 5);
    d = parse("t.jsonl", text, NULL);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(),
                     "data 't.jsonl', line 1: entity 1 ends inside a word; words are the "
                     "tokenizer's, which cuts at blanks and punctuation");
    ck_assert_ptr_nonnull(strstr(fine_error_next(), "line 3: entity 1 begins inside a word"));
    ck_assert_ptr_nonnull(strstr(fine_error_next(), "line 4: entity 1 covers no word"));
    fine__dataset_unref(d);
    d = parse("t.jsonl", text, "skip");
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), 0);
    ck_assert_int_eq(examples.n_rows, 1);
    ck_assert_int_eq(fine__examples_row(&examples, 0), 1);
    ck_assert_str_eq(labels_of(&examples), "[-1 4 0 -1 -1]");
    fine__examples_free(&examples);
    fine__dataset_unref(d);
    d = parse("t.conll", "new B-NEW\n", NULL);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), FINE_EDATA);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "has a label that is not the model's"));
    fine__dataset_unref(d);
    end();
}
END_TEST

static char cut[400];

static void
hear(int level, const char *message, void *user)
{
    (void)level;
    (void)user;
    if (strstr(message, "entities") != NULL)
        (void)snprintf(cut, sizeof cut, "%s", message);
}

START_TEST(counts_what_is_cut)
{
    struct fine_context_options options;
    struct fine__examples examples;
    fine_dataset *d;

    fine_context_options_init(&options, sizeof options);
    options.log = hear;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    model = fake_model(ctx, FINE__TAG);
    model->n_labels = 5;
    model->labels = fine__alloc_array(ctx, 5, sizeof *model->labels);
    for (int i = 0; i < 5; i++)
        model->labels[i] = fine__strdup(ctx, tags[i]);
    model->max_length = 4;
    d = parse("t.conll", "w1 O\nw2 B-LOC\nw3 I-LOC\nw4 B-PER\n\nw1 O\nw2 B-LOC\n", NULL);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), 0);
    ck_assert_str_eq(labels_of(&examples), "[-1 4 0 -1][-1 4 0 -1]");
    ck_assert_int_eq(examples.n_lost[0], 2);
    ck_assert_str_eq(cut, "data 't.conll': 2 of 3 entities lie where a text was cut to 4 ids, and "
                          "don't count");
    fine__examples_free(&examples);
    fine__dataset_unref(d);
    end();
}
END_TEST

/* ---- numbers that seqeval computed ---- */

static uint32_t
draw(uint32_t *state)
{
    *state = (*state * 1103515245U + 12345U) % 0x80000000U;
    return *state >> 16;
}

struct expected {
    double f1, precision, recall, accuracy;
};

/* 200 rows of 1 to 12 words; two of three guesses are right. */
static void
check_measure(const char *const *labels, int64_t n_labels, struct expected expected)
{
    struct fine__metrics *metrics;
    fine__real logits[12 * 9];
    int32_t truth[12], pieces[24];
    int64_t offsets[2] = { 0, 0 };
    bool goes_on[12] = { false };
    struct fine__examples examples = { .offsets = offsets,
                                       .labels = truth,
                                       .labels_per_id = true,
                                       .pieces = pieces,
                                       .goes_on = goes_on };
    uint32_t state = 7;
    double number;

    begin(labels, n_labels);
    ck_assert_int_eq(fine__metrics_for(&metrics, model), 0);
    for (int i = 0; i < 24; i++)
        pieces[i] = i;
    for (int pass = 0; pass < 2; pass++) {
        fine__metrics_reset(metrics);
        state = 7;
        for (int row = 0; row < 200; row++) {
            offsets[1] = draw(&state) % 12 + 1;
            memset(logits, 0, sizeof logits);
            for (int64_t i = 0; i < offsets[1]; i++) {
                const int64_t is = draw(&state) % (uint32_t)n_labels;
                int64_t guess = is;

                if (draw(&state) % 3 == 0)
                    guess = draw(&state) % (uint32_t)n_labels;
                truth[i] = (int32_t)is;
                logits[i * n_labels + guess] = 1;
            }
            ck_assert_int_eq(fine__metrics_add_measured(metrics, &examples, 0, 1, logits, n_labels,
                                                        row % 2 ? "odd" : NULL), 0);
        }
    }
    ck_assert_int_eq(fine__metrics_number(metrics, "entity_f1", &number), 0);
    ck_assert_double_eq_tol(number, expected.f1, 1e-14);
    ck_assert_int_eq(fine__metrics_number(metrics, "precision", &number), 0);
    ck_assert_double_eq_tol(number, expected.precision, 1e-14);
    ck_assert_int_eq(fine__metrics_number(metrics, "recall", &number), 0);
    ck_assert_double_eq_tol(number, expected.recall, 1e-14);
    ck_assert_int_eq(fine__metrics_number(metrics, "accuracy", &number), 0);
    ck_assert_double_eq_tol(number, expected.accuracy, 1e-14);
    fine__metrics_free(metrics);
    end();
}

START_TEST(counts_as_seqeval_does)
{
    static const char *const iob2[] = { "B-a", "B-b-c", "I-a", "I-b-c", "O" };
    static const char *const bioes[] = { "B-a", "E-a", "I-a", "O",  "S-a",
                                         "B-b", "I-b", "E-b", "S-b" };
    static const char *const iob1[] = { "I-a", "I-b", "B-a", "O" };

    check_measure(iob2, 5, (struct expected){ 0.68786808009422851, 0.68867924528301883,
                                              0.68705882352941172, 0.73882896764252692 });
    check_measure(bioes, 9, (struct expected){ 0.74095238095238092, 0.75241779497098649,
                                               0.72983114446529085, 0.7064714946070878 });
    check_measure(iob1, 4, (struct expected){ 0.67647058823529416, 0.67647058823529416,
                                              0.67647058823529416, 0.75577812018489987 });
}
END_TEST

START_TEST(tells_types_and_losses)
{
    const fine__real logits[] = { 0, 0, 0, 0, 9, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };
    int32_t truth[] = { -1, 0, -1, 4 }, pieces[] = { 0, 0, 0, 3, 3, 5, 6, 7 };
    const int64_t offsets[] = { 0, 4 };
    bool goes_on[] = { false, false, true, false };
    struct fine__examples examples = { .offsets = offsets,
                                       .labels = truth,
                                       .labels_per_id = true,
                                       .pieces = pieces,
                                       .goes_on = goes_on };
    struct fine__metrics *metrics;
    struct fine__buf json;
    double number;

    begin(tags, 5);
    ck_assert_int_eq(fine__metrics_for(&metrics, model), 0);
    fine__buf_init(&json, ctx);
    ck_assert_int_eq(fine__metrics_add_measured(metrics, &examples, 0, 1, logits, 5, NULL), 0);
    fine__metrics_write(metrics, &json, true);
    ck_assert_ptr_nonnull(strstr(json.data, "\"per_class_f1\":{\"LOC\":1,\"PER\":0},\"entities\":{"
                                            "\"LOC\":{\"precision\":1,\"recall\":1,\"n\":1,"
                                            "\"predicted\":1,\"right\":1}"));
    ck_assert_int_eq(fine__metrics_number(metrics, "loss", &number), 0);
    ck_assert_double_eq_tol(number, (log(exp(3) + 4) - 3 + log(exp(9) + 4) - 9) / 2, 1e-12);
    fine__buf_free(&json);
    fine__metrics_free(metrics);
    end();
}
END_TEST

/* ---- predicting ---- */

START_TEST(tells_places)
{
    static const char *const texts[] = { "New York-based Paris." };
    /* [CLS] new york - based par ##is . [SEP]: stray I-LOC, I-LOC, B-PER, … */
    static const int guesses[] = { 4, 2, 2, 0, 4, 1, 4, 4, 4 };
    fine__real logits[9 * 5] = { 0 };
    struct fine_dataset_options options;
    struct fine__examples examples;
    struct fine__spans spans;
    fine_dataset *d;

    begin(tags, 5);
    for (int i = 0; i < 9; i++)
        logits[i * 5 + guesses[i]] = 2;
    fine__dataset_defaults(&options);
    options.task = "tag";
    options.require_label = 0;
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, texts[0], NULL, NULL, NULL), 0);
    for (int blanks = 0; blanks < 2; blanks++) {
        model->words = blanks ? FINE__WORDS_BLANKS : FINE__WORDS_OF_DATA;
        ck_assert_int_eq(fine__examples_encode(&examples, model, d, "texts"), 0);
        ck_assert_ptr_null(examples.labels);
        spans = (struct fine__spans){ .ctx = ctx };
        ck_assert_int_eq(fine__taskwork(FINE__TAG)->decode(model, &examples, 0, 1, logits, &spans),
                         0);
        ck_assert_int_eq(spans.count, blanks ? 2 : 3);
        ck_assert_int_eq(spans.list[0].start, 0);
        ck_assert_int_eq(spans.list[0].end, blanks ? 14 : 8);
        ck_assert_int_eq(spans.list[0].label, 0); /* B-LOC speaks for the type */
        ck_assert_double_eq_tol(spans.list[0].score, 1 / (1 + 4 * exp(-2)), 1e-6);
        if (!blanks)
            ck_assert(spans.list[1].start == 8 && spans.list[1].end == 9);
        ck_assert_int_eq(spans.list[spans.count - 1].start, 15);
        ck_assert_int_eq(spans.list[spans.count - 1].end, blanks ? 21 : 20);
        fine__free(ctx, spans.list);
        fine__examples_free(&examples);
    }
    fine__dataset_unref(d);
    end();
}
END_TEST

RUNNER("tag", labels_first_pieces, speaks_other_schemes, refuses_what_fits_no_words,
       counts_what_is_cut, counts_as_seqeval_does, tells_types_and_losses, tells_places)
