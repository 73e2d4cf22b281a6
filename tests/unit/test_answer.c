/* test_answer.c — answer.c and its parts: windows, the best places, SQuAD's scores. */
#include "fake_model.h"

#include "base/buf.h"
#include "data/table.h"
#include "train/answer.h"
#include "train/taskwork.h"

static fine_context *ctx;
static fine_model *model;

static void
begin(int n_threads)
{
    ctx = new_context(n_threads);
    model = fake_model(ctx, FINE__ANSWER);
    model->answering = (struct fine__answering){ .windows = true, .stride = 4, .max_answer = 30 };
}

static void
end(void)
{
    fine__model_unref(model);
    free_context(ctx);
}

static fine_dataset *
new_rows(int32_t require_label)
{
    struct fine_dataset_options options;
    fine_dataset *dataset;

    fine_dataset_options_init(&options, sizeof options);
    options.task = "answer";
    options.require_label = require_label;
    ck_assert_int_eq(fine_dataset_new(&dataset, ctx, &options), 0);
    return dataset;
}

static void
add(fine_dataset *dataset, const char *question, const char *context, const char *answers)
{
    ck_assert_msg(fine_dataset_add(dataset, question, context, answers, NULL) == 0, "%s",
                  fine_error_message());
}

/* w0 w1 … of n words. */
static const char *
words(int n)
{
    static char text[4096];

    text[0] = '\0';
    for (int i = 0; i < n; i++)
        (void)sprintf(text + strlen(text), "%sw%d", i > 0 ? " " : "", i % FAKE_WORDS);
    return text;
}

static struct fine__examples
must_encode(fine_dataset *dataset)
{
    struct fine__examples examples;

    ck_assert_msg(fine__examples_encode(&examples, model, dataset, "training data") == 0, "%s",
                  fine_error_message());
    return examples;
}

/* ---- windows ---- */

START_TEST(windows_overlap)
{
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    dataset = new_rows(1);
    /* Of 12 ids 3 are added and 2 the question's: 7 words a window, 3 of them new. */
    add(dataset, "w30 w31", words(20), "[{\"text\":\"w9 w10\",\"answer_start\":27}]");
    e = must_encode(dataset);
    ck_assert_int_eq(e.n_rows, 6);
    for (int64_t w = 0; w < 6; w++) {
        const int32_t *ids = e.ids + e.offsets[w], *pieces = e.pieces + 2 * e.offsets[w];
        const int64_t n = e.offsets[w + 1] - e.offsets[w], from = 3 * w;
        const char *context = fine__dataset_pair(dataset, 0);

        ck_assert_int_eq(n, w < 5 ? 12 : 10);
        ck_assert_int_eq(e.row_of[w], 0);
        ck_assert(ids[0] == 2 && ids[1] == 35 && ids[2] == 36 && ids[3] == 3 && ids[n - 1] == 3);
        for (int64_t i = 0; i < n; i++) {
            char word[8];

            ck_assert_int_eq(e.types[e.offsets[w] + i], i > 3);
            if (i < 4 || i == n - 1) {
                ck_assert(pieces[2 * i] == -1 && pieces[2 * i + 1] == -1);
                continue;
            }
            (void)sprintf(word, "w%d", (int)(from + i - 4));
            ck_assert_int_eq(ids[i], FAKE_SPECIAL + from + i - 4);
            ck_assert_int_eq(pieces[2 * i + 1] - pieces[2 * i], (int)strlen(word));
            ck_assert_mem_eq(context + pieces[2 * i], word, strlen(word));
        }
        /* Words 9 and 10: windows from 6 and 9 hold both, that from 3 the first alone. */
        ck_assert_int_eq(e.starts[w], w == 2 ? 4 + 3 : w == 3 ? 4 : 0);
        ck_assert_int_eq(e.ends[w], w == 2 ? 4 + 4 : w == 3 ? 5 : 0);
    }
    ck_assert_int_eq(e.n_truncated, 0);
    fine__examples_free(&e);
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(one_window_where_one_is_enough)
{
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    dataset = new_rows(1);
    add(dataset, "w30 w31", words(7), "[]");
    add(dataset, "w30 w31", words(8), "[]");
    add(dataset, "", "w1", "[{\"text\":\"w1\",\"answer_start\":0}]");
    e = must_encode(dataset);
    ck_assert_int_eq(e.n_rows, 4);
    ck_assert(e.row_of[0] == 0 && e.row_of[1] == 1 && e.row_of[2] == 1 && e.row_of[3] == 2);
    ck_assert(e.starts[0] == 0 && e.starts[3] == 2 && e.ends[3] == 2);
    fine__examples_free(&e);
    model->answering.windows = false;
    e = must_encode(dataset);
    ck_assert_int_eq(e.n_rows, 3);
    ck_assert_int_eq(e.n_truncated, 1);
    fine__examples_free(&e);
    model->overlong_is_error = true;
    ck_assert_int_eq(fine__examples_encode(&e, model, dataset, "training data"), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "training data 'memory': 1 of 3 rows have more than 12 "
                     "ids: raise max_length, shorten them, or let overlong be 'truncate' or "
                     "'window'");
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(widens_answers_to_whole_pieces)
{
    static const struct {
        const char *answer;
        int start, end;
    } cases[] = {
        { "[{\"text\":\"w1\",\"answer_start\":3}]", 4, 4 },
        { "[{\"text\":\"1\",\"answer_start\":4}]", 4, 4 },
        { "[{\"text\":\" w1 \",\"answer_start\":2}]", 4, 4 },
        { "[{\"text\":\"0 w\",\"answer_start\":1}]", 3, 4 },
        { "[{\"text\":\"w2\",\"answer_start\":6},{\"text\":\"w0\",\"answer_start\":0}]", 5, 5 },
    };

    begin(1);
    for (int i = 0; i < FINE__COUNT(cases); i++) {
        fine_dataset *dataset = new_rows(1);
        struct fine__examples e;

        add(dataset, "w9", words(3), cases[i].answer);
        e = must_encode(dataset);
        ck_assert_int_eq(e.starts[0], cases[i].start);
        ck_assert_int_eq(e.ends[0], cases[i].end);
        fine__examples_free(&e);
        fine_dataset_free(dataset);
    }
    end();
}
END_TEST

START_TEST(long_questions_are_cut_to_half)
{
    char question[200];
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    dataset = new_rows(0);
    (void)snprintf(question, sizeof question, "%s", words(9));
    ck_assert_int_eq(fine_dataset_add(dataset, question, words(6), NULL, NULL), 0);
    e = must_encode(dataset);
    ck_assert_int_eq(e.n_truncated, 1);
    ck_assert_int_eq(e.n_rows, 2);      /* 4 of the question, 5 and 5 of the context */
    ck_assert_int_eq(e.offsets[1], 12);
    ck_assert_ptr_null(e.starts);
    fine__examples_free(&e);
    /* Too many shared: windows would bring nothing new. */
    model->answering.stride = 5;
    ck_assert_int_eq(fine__examples_encode(&e, model, dataset, "texts"), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "data.stride: 5 of 12 ids are too many to share: a long "
                     "question leaves no room for more; give at most 4");
    model->max_length = 4;
    ck_assert_int_eq(fine__examples_encode(&e, model, dataset, "texts"), FINE_EINVAL);
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(refuses_an_answer_without_pieces)
{
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    dataset = new_rows(1);
    add(dataset, "w1", "w1 \xe2\x80\x8b w2", "[{\"text\":\"\xe2\x80\x8b\",\"answer_start\":3}]");
    ck_assert_int_eq(fine__examples_encode(&e, model, dataset, "training data"), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "training data 'memory', row 1: the answer consists of "
                     "characters that the tokenizer leaves out; correct the row");
    fine_dataset_free(dataset);
    end();
}
END_TEST

static fine_dataset *
many_rows(void)
{
    fine_dataset *dataset = new_rows(1);

    for (int i = 0; i < 100; i++)
        add(dataset, i % 3 ? "w30 w31" : "w5", words(3 + 7 * i % 50),
            i % 4 ? "[{\"text\":\"w1\",\"answer_start\":3}]" : "[]");
    return dataset;
}

START_TEST(is_the_same_at_any_number_of_threads)
{
    char first[33], again[33];

    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        begin(n_threads);
        fine_dataset *dataset = many_rows();
        struct fine__examples e = must_encode(dataset);

        ck_assert_int_eq(fine__examples_fingerprint(&e, again), 0);
        if (n_threads == 1)
            memcpy(first, again, sizeof first);
        ck_assert_str_eq(first, again);
        for (int64_t i = 1; i < e.n_rows; i++)
            ck_assert_int_ge(e.row_of[i], e.row_of[i - 1]);
        ck_assert_int_eq(e.row_of[e.n_rows - 1], 99);
        fine__examples_free(&e);
        fine_dataset_free(dataset);
        end();
    }
}
END_TEST

/* ---- the best places ---- */

START_TEST(finds_the_best_places)
{
    enum { N = 60, MOST = 5 };
    fine__real logits[2 * N];
    int32_t pieces[2 * N];

    for (int seed = 0; seed < 50; seed++) {
        const uint64_t key = fine__rng_key(seed, FINE__RNG_SAMPLE, 0, 0);
        struct fine__best best;
        double last = HUGE_VAL;

        for (int i = 0; i < 2 * N; i++)
            logits[i] = (fine__real)fine__rng_below(key, (uint64_t)i, 1000) / 100;
        for (int i = 0; i < N; i++) {
            const bool is_context = i > 9 && i < N - 1;

            pieces[2 * i] = is_context ? 3 * i : -1;
            pieces[2 * i + 1] = is_context ? 3 * i + 2 : -1;
        }
        fine__best_begin(&best);
        fine__best_add(&best, logits, pieces, N, MOST);
        ck_assert(best.none == (double)logits[0] + (double)logits[1]);
        for (int k = 0; k < best.n; k++) {
            const int64_t s = best.places[k].start / 3, e = (best.places[k].end - 2) / 3;

            ck_assert(s > 9 && e >= s && e - s < MOST && e < N - 1);
            ck_assert(best.places[k].score == (double)logits[2 * s] + (double)logits[2 * e + 1]);
            ck_assert(best.places[k].score <= last);
            last = best.places[k].score;
        }
        /* None that is left out, and whose both ends are among the twenty highest, is better. */
        for (int s = 10; s < N - 1; s++)
            for (int e = s; e < s + MOST && e < N - 1; e++) {
                const double score = (double)logits[2 * s] + (double)logits[2 * e + 1];
                int above_start = 0, above_end = 0;
                bool listed = false;

                for (int i = 0; i < N; i++) {
                    above_start += logits[2 * i] >= logits[2 * s];
                    above_end += logits[2 * i + 1] >= logits[2 * e + 1];
                }
                for (int k = 0; k < best.n; k++)
                    listed |= best.places[k].start == 3 * s && best.places[k].end == 3 * e + 2;
                if (above_start <= FINE__N_BEST && above_end <= FINE__N_BEST && !listed)
                    ck_assert(best.n == FINE__N_BEST && score <= last);
            }
    }
}
END_TEST

START_TEST(a_place_counts_once)
{
    static const fine__real first[] = { 5, 1, 3, 4, 0, 0 }, second[] = { 1, 1, 4, 4, 0, 0 };
    static const int32_t pieces[] = { -1, -1, 0, 2, 3, 5 };
    struct fine__best best;

    fine__best_begin(&best);
    fine__best_add(&best, first, pieces, 3, 30);
    ck_assert_int_eq(best.n, 3);
    ck_assert(best.none == 6 && best.places[0].start == 0 && best.places[0].end == 2);
    ck_assert(best.places[0].score == 7);
    fine__best_add(&best, second, pieces, 3, 30);
    ck_assert_int_eq(best.n, 3);
    ck_assert(best.none == 2 && best.places[0].score == 8);
    ck_assert(!fine__best_is_none(&best, true, 0));
    ck_assert(fine__best_is_none(&best, true, -7));
    ck_assert(!fine__best_is_none(&best, false, -7));
    best.n = 0;
    ck_assert(fine__best_is_none(&best, false, 0));
}
END_TEST

/* ---- scores ---- */

START_TEST(scores_as_squad_does)
{
    /* What SQuAD's script 1.1 makes of them. */
    static const struct {
        const char *said, *gold, *normal;
        double exact, f1;
    } cases[] = {
        { "The Eiffel Tower", "eiffel tower", "eiffel tower", 1, 1 },
        { "a an the", "x", "", 0, 0 },
        { "Paris, France!", "paris france", "paris france", 1, 1 },
        { "the cat sat", "a cat sat down", "cat sat", 0, 0.8 },
        { "the the cat", "cat", "cat", 1, 1 },
        { "Caf\xc3\xa9 \xe2\x80\x94 the end", "caf\xc3\xa9 \xe2\x80\x94 end",
          "caf\xc3\xa9 \xe2\x80\x94 end", 1, 1 },
        { "1,998", "1998", "1998", 1, 1 },
        { "x\xe2\x80\x99the\xe2\x80\x99y", "x\xe2\x80\x99 \xe2\x80\x99y",
          "x\xe2\x80\x99 \xe2\x80\x99y", 1, 1 },
        { "\xc4\xb0stanbul", "i\xcc\x87stanbul", "i\xcc\x87stanbul", 1, 1 },
        { "an\xcc\x81 apple", "an\xcc\x81 apple", "\xcc\x81 apple", 1, 1 },
        { "well-known", "well known", "wellknown", 0, 0 },
        { "A\xc2\xa0" "b\xe2\x80\x83" "c", "b c", "b c", 1, 1 },
        { "the_end", "theend", "theend", 1, 1 },
        { "cat cat dog", "cat dog dog", "cat cat dog", 0, 0.6666666666666666 },
        { "THE\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87", "the\xe4\xb8\xad\xe6\x96\x87",
          0, 0 },
        { "", "", "", 1, 0 },
    };
    struct fine__scorer scorer;

    ctx = new_context(1);
    fine__scorer_init(&scorer, ctx);
    for (int i = 0; i < FINE__COUNT(cases); i++) {
        struct fine__score score;
        bool is_empty;

        ck_assert_int_eq(fine__scorer_say(&scorer, cases[i].said, strlen(cases[i].said)), 0);
        ck_assert_int_eq(fine__scorer_against(&scorer, cases[i].gold, strlen(cases[i].gold), 0,
                                              &score, &is_empty), 0);
        ck_assert_uint_eq(scorer.said.length, strlen(cases[i].normal));
        ck_assert_mem_eq(scorer.said.data, cases[i].normal, scorer.said.length);
        ck_assert_msg(score.exact == cases[i].exact && score.f1 == cases[i].f1, "%s", cases[i].said);
        ck_assert(is_empty == (cases[i].gold[0] == '\0'));
    }
    fine__scorer_free(&scorer);
    free_context(ctx);
}
END_TEST

/* Logits that say the words [first, last] of a context read in one window; -1: none. */
static void
say(const struct fine__examples *e, int64_t example, int first, int last, fine__real *logits)
{
    const int64_t n = e->offsets[example + 1] - e->offsets[example];
    int64_t from = 0;

    while (from < n && e->pieces[2 * (e->offsets[example] + from)] < 0)
        from++;
    for (int64_t i = 0; i < 2 * n; i++)
        logits[i] = 0;
    logits[first < 0 ? 0 : 2 * (from + first)] = 4;
    logits[last < 0 ? 1 : 2 * (from + last) + 1] = 4;
}

START_TEST(measures_rows)
{
    const struct fine__measure *measure = fine__work_answer.measure;
    void *state;
    fine__real logits[200];
    double loss, weight;
    struct fine__scores scores;
    struct fine__buf out;
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    state = calloc(1, measure->state_size);
    ck_assert_int_eq(measure->open(state, ctx, model), 0);
    for (int with_none = 0; with_none < 2; with_none++) {
        dataset = new_rows(1);
        add(dataset, "w9", words(6), "[{\"text\":\"w1 w2\",\"answer_start\":3},{\"text\":\"w4\","
            "\"answer_start\":12}]");
        add(dataset, "w9", words(6), "[{\"text\":\"w1 w2\",\"answer_start\":3}]");
        add(dataset, "w9", "a w1", "[{\"text\":\"a\",\"answer_start\":0}]");
        if (with_none) {
            add(dataset, "w9", words(6), "[]");
            add(dataset, "w9", words(6), "[]");
        }
        e = must_encode(dataset);
        measure->reset(state);
        for (int64_t i = 0; i < e.n_rows; i++) {
            /* the second answer; one word of two and one more; "a"; none; a word for none */
            static const int said[][2] = { { 4, 4 }, { 2, 3 }, { 0, 0 }, { -1, -1 }, { 3, 3 } };

            say(&e, i, said[i][0], said[i][1], logits);
            ck_assert_int_eq(measure->add(state, model, &e, i, i + 1, logits, 2, &loss, &weight),
                             0);
            ck_assert(weight == 1 && loss > 0);
        }
        measure->numbers(state, 0, &scores);
        fine__buf_init(&out, ctx);
        measure->write(state, model, &out);
        /* "a" is an article: nothing is left of it, and only version 2 calls that right. */
        if (with_none) {
            ck_assert(scores.value[0] == 3.0 / 5);
            ck_assert(scores.value[1] == (1 + 0.5 + 1 + 1 + 0) / 5);
            ck_assert_str_eq(fine__buf_cstr(&out),
                             ",\"has_answer\":{\"n\":3,\"exact_match\":0.6666666666666666,"
                             "\"span_f1\":0.8333333333333334},\"no_answer\":{\"n\":2,"
                             "\"exact_match\":0.5,\"span_f1\":0.5,\"said\":1}");
        } else {
            ck_assert(scores.value[0] == 2.0 / 3 && scores.value[1] == (1 + 0.5) / 3);
            ck_assert_str_eq(fine__buf_cstr(&out), "");
        }
        fine__buf_free(&out);
        if (with_none) {
            logits[0] = NAN;
            ck_assert_int_eq(measure->add(state, model, &e, 0, 1, logits, 2, &loss, &weight),
                             FINE_ENUMERIC);
        }
        fine__examples_free(&e);
        fine_dataset_free(dataset);
    }
    measure->close(state);
    free(state);
    end();
}
END_TEST

START_TEST(measures_the_loss_over_windows)
{
    const struct fine__measure *measure = fine__work_answer.measure;
    void *state;
    fine__real logits[200] = { 0 };
    double loss, weight;
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    state = calloc(1, measure->state_size);
    ck_assert_int_eq(measure->open(state, ctx, model), 0);
    dataset = new_rows(1);
    add(dataset, "w30 w31", words(20), "[{\"text\":\"w9 w10\",\"answer_start\":27}]");
    e = must_encode(dataset);
    ck_assert_int_eq(measure->add(state, model, &e, 0, 6, logits, 2, &loss, &weight), 0);
    ck_assert(weight == 6 && fabs(loss - (5 * log(12) + log(10))) < 1e-12);
    fine__examples_free(&e);
    fine_dataset_free(dataset);
    dataset = new_rows(0);
    ck_assert_int_eq(fine_dataset_add(dataset, "w1", "w2", NULL, NULL), 0);
    e = must_encode(dataset);
    ck_assert_int_eq(measure->add(state, model, &e, 0, 1, logits, 2, &loss, &weight), FINE_EDATA);
    fine__examples_free(&e);
    fine_dataset_free(dataset);
    measure->close(state);
    free(state);
    end();
}
END_TEST

START_TEST(decodes_best_first)
{
    struct fine__spans spans;
    fine__real logits[200];
    struct fine__examples e;
    fine_dataset *dataset;

    begin(1);
    spans = (struct fine__spans){ .ctx = ctx };
    dataset = new_rows(0);
    ck_assert_int_eq(fine_dataset_add(dataset, "w9", words(6), NULL, NULL), 0);
    e = must_encode(dataset);
    say(&e, 0, 1, 2, logits);
    for (int allowed = 0; allowed < 3; allowed++) {
        double sum = 0;
        bool has_none = false;

        /* Of 8, 4 for each end; none has 0, and is the answer below a threshold of -8. */
        model->answering.no_answer = allowed > 0;
        model->answering.null_threshold = allowed > 1 ? -8.5 : 0;
        spans.count = 0;
        ck_assert_int_eq(fine__work_answer.decode(model, &e, 0, 1, logits, &spans), 0);
        for (int64_t i = 0; i < spans.count; i++) {
            sum += spans.list[i].score;
            has_none |= spans.list[i].end == 0;
            ck_assert_int_eq(spans.list[i].label, -1);
        }
        ck_assert(fabs(sum - 1) < 1e-12);
        ck_assert(has_none == (allowed > 0));
        if (allowed > 1)
            ck_assert(spans.list[0].start == 0 && spans.list[0].end == 0);
        ck_assert(spans.list[allowed > 1].start == 3 && spans.list[allowed > 1].end == 8);
        ck_assert_int_eq(spans.count, FINE__N_BEST + (allowed > 0));
    }
    fine__free(ctx, spans.list);
    fine__examples_free(&e);
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(survives_no_memory)
{
    struct faulty faulty;
    int n_failed = 0;

    for (int n_threads = 1; n_threads < 3; n_threads++)
        for (long long n = 1, done = 0; !done; n++) {
            struct fine__examples e = { .ctx = NULL };

            ctx = new_faulty_context(&faulty, n_threads);
            model = fake_model(ctx, FINE__ANSWER);
            model->answering = (struct fine__answering){ true, 4, 30, false, 0 };
            fine_dataset *dataset = new_rows(1);

            for (int i = 0; i < 20; i++)
                add(dataset, "w1", words(3 * i + 2), "[{\"text\":\"w1\",\"answer_start\":3}]");
            faulty.calls = 0;
            faulty.fail_at = n;
            faulty.for_ever = n_threads == 1;
            const int rc = fine__examples_encode(&e, model, dataset, "training data");

            ck_assert(rc == 0 || rc == FINE_ENOMEM);
            n_failed += rc < 0;
            done = rc == 0 && faulty.calls < n;
            fine__examples_free(&e);
            fine_dataset_free(dataset);
            end();
        }
    ck_assert_int_gt(n_failed, 20);
}
END_TEST

RUNNER("answer", windows_overlap, one_window_where_one_is_enough, widens_answers_to_whole_pieces,
       long_questions_are_cut_to_half, refuses_an_answer_without_pieces,
       is_the_same_at_any_number_of_threads, finds_the_best_places, a_place_counts_once,
       scores_as_squad_does, measures_rows, measures_the_loss_over_windows, decodes_best_first,
       survives_no_memory)
