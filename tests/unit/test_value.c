/* test_value.c — each kind of value: what is taken, what is said, and what is written. */
#include "runner.h"

#include "recipe/recipe.h"

/* Sets a key of a new recipe; gives what is written back, or NULL with a finding. */
static const char *
through(fine_context *ctx, const char *key, const char *value)
{
    static char written[400];
    fine_recipe *r;
    const char *text;
    int rc;

    ck_assert_int_eq(fine_recipe_parse(&r, ctx, "", 0, NULL), 0);
    rc = fine_recipe_set(r, key, value);
    ck_assert(rc == 0 || rc == FINE_ERECIPE);
    text = fine_recipe_get(r, key);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_lt(strlen(text), sizeof written);
    strcpy(written, text);
    fine_recipe_free(r);
    return rc == 0 ? written : NULL;
}

START_TEST(takes_and_writes)
{
    static const struct { const char *key, *value, *written; } cases[] = {
        { "train.epochs", "3", "3.0" },
        { "train.epochs", "0.5", "0.5" },
        { "train.epochs", "1e2", "100.0" },
        { "train.steps", "500", "500" },
        { "train.optimizer.learning_rate", "5e-5", "5.0e-05" },
        { "train.optimizer.learning_rate", "0.00002", "2.0e-05" },
        { "train.optimizer.weight_decay", "0", "0.0" },
        { "train.optimizer.betas", "[0.8, 0]", "[0.8, 0.0]" },
        { "train.optimizer.decay", "all", "all" },
        { "train.optimizer", "sgd", NULL },
        { "train.schedule.warmup", "100", "100.0" },
        { "train.evaluate_every", "2 epochs", "2 epochs" },
        { "train.evaluate_every", "1 epochs", "1 epoch" },
        { "train.evaluate_every", "0.5 epochs", "0.5 epochs" },
        { "train.evaluate_every", "50 steps", "50 steps" },
        { "train.checkpoint_every", "50", "50" },
        { "train.checkpoint_every", "50 steps", "50" },
        { "train.checkpoint_every", "0", "0" },
        { "train.freeze", "embeddings..3", "embeddings..3" },
        { "train.freeze", "2", "\"2\"" },
        { "train.freeze", "[\"*.attention.*\", b]", "[\"*.attention.*\", b]" },
        { "data.validation", "0.1", "0.1" },
        { "data.validation", "\"0.1\"", "\"0.1\"" },
        { "data.validation", "v.csv", "v.csv" },
        { "data.validation", "null", "" },
        { "data.header", "false", "false" },
        { "data.header", "[label, text]", "[label, text]" },
        { "data.separator", "\"\\t\"", "\"\\t\"" },
        { "data.separator", "\\t", "\"\\t\"" },
        { "data.separator", "\" \"", "\" \"" },
        { "data.separator", ";", "\";\"" },
        { "data.label", "yes", "\"yes\"" },
        { "data.label", "Norway No", "Norway No" },
        { "data.label", "\"\"", NULL },
        { "task.labels", "[no, yes, 1, 1e5, 12:30, \"a\\nb\", \xc3\xa4, \"Null\", .inf]",
          "[\"no\", \"yes\", \"1\", \"1e5\", \"12:30\", \"a\\nb\", \"\xc3\xa4\", \"Null\", "
          "\".inf\"]" },
        { "train.optimizer.nesterov", "true", "" },     /* not with adamw */
        { "train.seed", "9007199254740991", "9007199254740991" },
        { "train.label_smoothing", "0", NULL },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cases[i].written) {
            const char *written = through(ctx, cases[i].key, cases[i].value);

            ck_assert_msg(written && strcmp(written, cases[i].written) == 0, "%s: %s gives %s (%s)",
                          cases[i].key, cases[i].value, written ? written : "nothing",
                          written ? "" : fine_error_message());
        }
    free_context(ctx);
}
END_TEST

START_TEST(refuses_with_a_remedy)
{
    static const struct { const char *key, *value, *message; } cases[] = {
        { "train.epochs", "three", "must be a number above 0 and at most 100000, not 'three'" },
        { "train.epochs", "1,5", "write a decimal point" },
        { "train.epochs", "1_000", "without '_'" },
        { "train.epochs", ".5", "digits before and after the point" },
        { "train.epochs", "+3", "no '+'" },
        { "train.epochs", "0", "above 0" },
        { "train.epochs", "-1", "above 0" },
        { "train.epochs", ".inf", "not '.inf'" },
        { "train.epochs", ".nan", "not '.nan'" },
        { "train.epochs", "1e999", "not '1e999'" },
        { "train.epochs", "\"3\"", "take the quotes away" },
        { "train.epochs", "[3]", "not a list" },
        { "train.epochs", "{a: 3}", "not a mapping" },
        { "train.epochs", "0x10", "not '0x10'" },
        { "train.batch_size", "32.0", "whole number from 1 to 65536, not 32.0" },
        { "train.batch_size", "0", "from 1 to 65536, not 0" },
        { "train.batch_size", "99999999999999999999", "whole number" },
        { "train.seed", "-1", "from 0 to 2^53 - 1" },
        { "train.optimizer.nesterov", "yes", "must be true or false, not yes; write true" },
        { "train.optimizer.nesterov", "Off", "write false" },
        { "train.optimizer.nesterov", "\"true\"", "write true" },
        { "train.optimizer.nesterov", "maybe", "not 'maybe'" },
        { "train.optimizer.betas", "[0.9]", "two numbers" },
        { "train.optimizer.betas", "[0.9, 1.0]", "two numbers" },
        { "train.optimizer.betas", "[0.9, 0.9, 0.9]", "two numbers" },
        { "train.optimizer.betas", "{a: 0.9, b: 0.8}", "two numbers" },
        { "train.optimizer.betas", "0.9", "two numbers" },
        { "train.optimizer.betas", "[5.8, 0.9, 0.9, 0.9]", "two numbers" },
        { "train.optimizer.type", "adamv", "lion, lamb); did you mean 'adamw'?" },
        { "train.optimizer.type", "sophia", "cannot be 'sophia'; known: adamw, sgd" },
        { "train.evaluate_every", "100", "its unit" },
        { "train.evaluate_every", "1 day", "its unit" },
        { "train.evaluate_every", "0 steps", "at least 1 step" },
        { "train.evaluate_every", "0 epochs", "above 0" },
        { "train.evaluate_every", "x epochs", "above 0" },
        { "train.evaluate_every", "1.5 steps", "whole number" },
        { "train.checkpoint_every", "1 epoch", "counts steps" },
        { "train.precision", "bf16", "'train.precision: bf16' is not available in this version" },
        { "task.type", "draw", "'task.type' cannot be 'draw'; known: classify, multilabel" },
        { "task.labels", "a", "must be a list" },
        { "task.labels", "[]", "has 0 entries; at least 1 is needed" },
        { "task.labels", "[a, b, a]", "holds 'a' twice" },
        { "task.labels", "[a, [b]]", "not a list" },
        { "task.labels", "[a, ~]", "no value" },
        { "task.labels", "[a, \"\"]", "is empty" },
        { "data.validation", "1.5", "between 0 and 1" },
        { "data.validation", "0", "between 0 and 1" },
        { "data.validation", "10%", "write a share" },
        { "data.separator", "ab", "one ASCII character" },
        { "data.separator", "\"\\n\"", "one ASCII character" },
        { "data.text", "\"\"", "is empty" },
        { "data.text", "", "write null for the default" },
        { "data.text", "&a x", "anchors" },
        { "train.freeze", "[]", "0 entries" },
        { "train.freeze", "[\"a,b\"]", "holds no ','" },
        { "train.optimizer", "[a]", "must be a mapping" },
        { "data", "x", "must be a mapping" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *written = through(ctx, cases[i].key, cases[i].value);

        ck_assert_msg(!written, "%s: %s", cases[i].key, cases[i].value);
        ck_assert_msg(strstr(fine_error_message(), cases[i].message), "%s: %s: %s", cases[i].key,
                      cases[i].value, fine_error_message());
    }
    free_context(ctx);
}
END_TEST

START_TEST(writes_texts_that_stay_texts)
{
    static const struct { const char *text, *written; } cases[] = {
        { "plain", "plain" }, { "two words", "two words" }, { "/a/b-c.csv", "/a/b-c.csv" },
        { "TRUE", "\"TRUE\"" }, { "No", "\"No\"" }, { "", "\"\"" }, { "1", "\"1\"" },
        { "-a", "\"-a\"" }, { "a: b", "\"a: b\"" }, { "a #b", "\"a #b\"" }, { " a", "\" a\"" },
        { "a ", "\"a \"" }, { "a\"b\\", "\"a\\\"b\\\\\"" }, { "./a", "\"./a\"" },
        { "a\x01", "\"a\\x01\"" }, { "\xe2\x80\xa8", "\"\\U00002028\"" },
        { "\xff", "\"\xef\xbf\xbd\"" }, { "~", "\"~\"" }, { "/", "\"/\"" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fine__buf out;

        fine__buf_init(&out, ctx);
        fine__yaml_text(&out, cases[i].text);
        ck_assert_str_eq(fine__buf_cstr(&out), cases[i].written);
        fine__buf_free(&out);
    }
    free_context(ctx);
}
END_TEST

START_TEST(writes_numbers_that_stay_numbers)
{
    static const struct { double value; const char *written; } cases[] = {
        { 5e-5, "5.0e-05" }, { 0.1, "0.1" }, { 3, "3.0" }, { 0, "0.0" }, { 1.5e-9, "1.5e-09" },
        { 1e300, "1.0e+300" }, { -2, "-2.0" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fine__buf out;

        fine__buf_init(&out, ctx);
        fine__yaml_number(&out, cases[i].value);
        ck_assert_str_eq(fine__buf_cstr(&out), cases[i].written);
        fine__buf_free(&out);
    }
    free_context(ctx);
}
END_TEST

RUNNER("value", takes_and_writes, refuses_with_a_remedy, writes_texts_that_stay_texts,
       writes_numbers_that_stay_numbers)
