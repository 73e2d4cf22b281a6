/*
 * test_generate.c — going on with texts: the ids that transformers gives (gpt2/generated.json, by
 * make_generated.py), one by one and together; the same at any number of threads; and what a
 * caller may do wrong.
 */
#include "api.h"

#include <jansson.h>

enum { N = 5, TOKENS = 24 };

static fine_context *ctx;
static fine_model *model;
static fine_session *session;

static void
begin(fine_context *context)
{
    ctx = context;
    OK(fine_model_open(&model, ctx, SOURCE_ROOT "/tests/golden/gpt2", NULL));
    OK(fine_session_new(&session, model));
}

static void
end(void)
{
    fine_session_free(session);
    fine_model_free(model);
    free_context(ctx);
}

static struct fine_generate_options
new_options(int64_t max_tokens, double temperature)
{
    struct fine_generate_options o;

    fine_generate_options_init(&o, sizeof o);
    ck_assert(o.max_tokens == 64 && o.temperature == 0 && o.top_p == 1);
    o.max_tokens = max_tokens;
    o.temperature = temperature;
    return o;
}

static void
check_ids(int64_t i, const json_t *wanted)
{
    int64_t n = -1;
    const int32_t *ids = fine_session_generated_ids(session, i, &n);

    ck_assert_int_eq(n, (int64_t)json_array_size(wanted));
    for (int64_t k = 0; k < n; k++)
        ck_assert_int_eq(ids[k], json_integer_value(json_array_get(wanted, (size_t)k)));
}

START_TEST(as_transformers)
{
    json_t *golden = json_load_file(SOURCE_ROOT "/tests/golden/gpt2/generated.json", 0, NULL);
    const struct fine_generate_options o = new_options(TOKENS, 0);
    const char *prompts[N];

    ck_assert_int_eq((int)json_array_size(golden), N);
    for (int threads = 1; threads <= 3; threads += 2) {
        begin(new_context(threads));
        for (int i = 0; i < N; i++) {
            const json_t *row = json_array_get(golden, (size_t)i);

            prompts[i] = json_string_value(json_object_get(row, "prompt"));
            OK(fine_session_generate(session, &prompts[i], 1, &o));
            check_ids(0, json_object_get(row, "ids"));
        }
        OK(fine_session_generate(session, prompts, N, &o));
        for (int i = 0; i < N; i++)
            check_ids(i, json_object_get(json_array_get(golden, (size_t)i), "ids"));
        end();
    }
    json_decref(golden);
}
END_TEST

static const char *const prompts[] = { "one", "two and a half", "three" };

/* All ids of the last texts, 0 behind each. */
static int
copy_ids(int32_t *out, int n_prompts)
{
    int at = 0;

    for (int i = 0; i < n_prompts; i++) {
        int64_t n = 0;
        const int32_t *ids = fine_session_generated_ids(session, i, &n);

        memcpy(out + at, ids, (size_t)n * sizeof *ids);
        at += (int)n;
        out[at++] = 0;
    }
    return at;
}

START_TEST(drawn_alike)
{
    int32_t first[400], other[400];
    struct fine_generate_options o = new_options(40, 1.3);
    int n = 0;

    o.top_k = 60;
    o.top_p = 0.95;
    o.seed = 9;
    o.ignore_end = 1;
    for (int threads = 1; threads <= 3; threads++) {
        begin(new_context(threads));
        OK(fine_session_generate(session, prompts, 3, &o));
        n = copy_ids(threads == 1 ? first : other, 3);
        if (threads > 1)
            ck_assert_mem_eq(first, other, (size_t)n * sizeof *first);
        ck_assert_int_eq(fine_session_generated_ending(session, 0), FINE_ENDED_ENOUGH);
        /* one by one, by their numbers */
        for (int i = 0, at = 0; i < 3; i++) {
            o.first = i;
            OK(fine_session_generate(session, prompts + i, 1, &o));
            at += copy_ids(other + at, 1);
        }
        ck_assert_mem_eq(first, other, (size_t)n * sizeof *first);
        o.first = 0;
        o.seed = 10;
        OK(fine_session_generate(session, prompts, 3, &o));
        copy_ids(other, 3);
        ck_assert_mem_ne(first, other, (size_t)n * sizeof *first);
        o.seed = 9;
        end();
    }
}
END_TEST

struct heard {
    char text[4000];
    int n, stop_at;
};

static int
hear(int64_t prompt, int32_t id, const char *text, void *user)
{
    struct heard *heard = user;

    ck_assert(prompt == 0 && id >= 0 && id < 257);
    strcat(heard->text, text);
    return ++heard->n == heard->stop_at;
}

START_TEST(tokens_are_told)
{
    struct heard heard = { .n = 0 };
    struct fine_generate_options o = new_options(60, 1);
    int64_t n = 0;

    begin(new_context(1));
    o.on_token = hear;
    o.on_token_user = &heard;
    o.ignore_end = 1;
    OK(fine_session_generate(session, prompts, 1, &o));
    ck_assert_str_eq(heard.text, fine_session_generated(session, 0));
    ck_assert_int_eq(heard.n, 60);
    heard = (struct heard){ .stop_at = 7 };
    OK(fine_session_generate(session, prompts, 1, &o));
    ck_assert_ptr_nonnull(fine_session_generated_ids(session, 0, &n));
    ck_assert(heard.n == 7 && n == 7);
    ck_assert_int_eq(fine_session_generated_ending(session, 0), FINE_ENDED_STOPPED);
    end();
}
END_TEST

START_TEST(as_far_as_the_model_goes)
{
    struct fine_generate_options o = new_options(1000, 1);
    char text[97];
    const char *prompt = text;
    int64_t n = 0;

    begin(new_context(1));
    o.ignore_end = 1;
    memset(text, 'x', 96);
    text[96] = '\0';
    OK(fine_session_generate(session, &prompt, 1, &o));
    fine_session_generated_ids(session, 0, &n);
    ck_assert_int_eq(n, 1);             /* after all 96 positions */
    ck_assert_int_eq(fine_session_generated_ending(session, 0), FINE_ENDED_FULL);
    text[90] = '\0';
    OK(fine_session_generate(session, &prompt, 1, &o));
    fine_session_generated_ids(session, 0, &n);
    ck_assert_int_eq(n, 7);
    prompt = "this prompt is longer than the model's ninety-six positions, and nothing of it is cut "
             "off without a word";
    FAILS(FINE_EDATA, fine_session_generate(session, &prompt, 1, &o));
    fine_session_generated_ids(session, 0, &n);
    ck_assert_int_eq(n, 7);             /* earlier results stay */
    end();
}
END_TEST

START_TEST(wrong_calls)
{
    struct fine_generate_options o = new_options(0, 0);
    struct fine_task_options task;
    const char *nothing = NULL;

    begin(new_context(1));
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, 1, &o));
    o = new_options(1, -1);
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, 1, &o));
    o = new_options(1, NAN);
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, 1, &o));
    o = new_options(1, 1);
    o.top_p = 0;
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, 1, &o));
    o = new_options(1, 1);
    o.top_k = -1;
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, 1, &o));
    FAILS(FINE_EINVAL, fine_session_generate(session, &nothing, 1, NULL));
    FAILS(FINE_EINVAL, fine_session_generate(session, prompts, -1, NULL));
    FAILS(FINE_EINVAL, fine_session_generate(session, NULL, 1, NULL));
    FAILS(FINE_EUNSUPPORTED, fine_session_predict(session, prompts, NULL, 1));
    ck_assert_ptr_null(fine_session_generated(session, 0));
    ck_assert_int_eq(fine_session_generated_ending(session, 0), 0);
    OK(fine_session_generate(session, NULL, 0, NULL));
    fine_session_free(session);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.n_labels = 2;
    OK(fine_model_set_task(model, &task));
    OK(fine_session_new(&session, model));
    FAILS(FINE_EUNSUPPORTED, fine_session_generate(session, prompts, 1, NULL));
    end();
}
END_TEST

/* ---- memory ---- */

static long long calls, fail_at;

static void *
allocate(size_t bytes, void *user)
{
    (void)user;
    return ++calls == fail_at ? NULL : malloc(bytes);
}

static void *
reallocate(void *block, size_t bytes, void *user)
{
    (void)user;
    return ++calls == fail_at ? NULL : realloc(block, bytes);
}

static void
release(void *block, void *user)
{
    (void)user;
    free(block);
}

START_TEST(out_of_memory)
{
    struct fine_context_options options;
    struct fine_generate_options o = new_options(10, 1);
    fine_context *context;
    int rc = FINE_ENOMEM;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.allocate = allocate;
    options.reallocate = reallocate;
    options.release = release;
    OK(fine_context_new(&context, &options));
    begin(context);
    for (long long i = 1; rc < 0; i++) {
        fine_session_free(session);
        OK(fine_session_new(&session, model));
        calls = 0;
        fail_at = i;
        rc = fine_session_generate(session, prompts, 3, &o);
        fail_at = 0;
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
    }
    end();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { as_transformers, drawn_alike, tokens_are_told,
                                   as_far_as_the_model_goes, wrong_calls, out_of_memory };

    return run_tests_with(NULL, NULL, "generate", tests, COUNT(tests));
}
