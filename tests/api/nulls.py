#!/usr/bin/env python3
"""NULL for each pointer argument of each public function: no crash, and an error where the
result is a status. Writes nulls.c from the headers; the test compiles and runs it.

    nulls.py OUT.c HEADER...

All other arguments are good ones: a tiny model, its data, an optimizer. Each call is a test
of its own, which Check runs in a process of its own.
"""
import re
import sys

GOOD = {
    "fine_context *": "context", "fine_model *": "model", "fine_session *": "session",
    "fine_dataset *": "data", "fine_optimizer *": "optimizer", "fine_schedule *": "schedule",
    "fine_trainer *": "trainer", "fine_tensors *": "tensors", "fine_tokenizer *": "tokenizer",
    "fine_encoding *": "encoding", "fine_report *": "report", "fine_recipe *": "recipe",
    "char *": '"x"', "char *const *": "texts", "float *": "numbers", "void *": "numbers",
    "int64_t *": "integers",
}
# What headers say may be left out: "function argument".
MAY_BE_NULL = "|".join((
    r"(norm|loss|type|n_dims|shape|data|count)_out$", r"_(encode|predict) pairs?$", "fine_dataset_add (pair|label|group)$",
    "fine_trainer_new schedule$", "fine_trainer_(evaluate|finish|fit) out$", "fine_recipe_run (out|progress|user)$",
    "fine_tensors_put data$", "_generated_ids count_out$", "fine_recipe_parse folder$", "fine_tokenizer_decode (out|length)$"))
SETUP = r"""
#include "tiny.h"

#include <stdio.h>

#define GOOD(call) ck_assert_msg((call) == FINE_OK, "%s: %s", #call, fine_error_message())

static fine_context *context;
static fine_model *model;
static fine_session *session;
static fine_dataset *data;
static fine_optimizer *optimizer;
static fine_schedule *schedule;
static fine_trainer *trainer;
static fine_tensors *tensors;
static fine_tokenizer *tokenizer;
static fine_encoding *encoding;
static fine_report *report;
static fine_recipe *recipe;
static const char *texts[4] = { "x", "x", "x", "x" };
static float numbers[64];
static int64_t integers[64];
static _Alignas(64) unsigned char scratch[4096];

/* A model for each that excludes the others. */
static void
set_up(void)
{
    char folder[] = "/tmp/fine-nulls-XXXXXX", path[64];
    FILE *file;

    context = tiny_context(1);
    model = tiny_model(context);
    data = tiny_dataset(context, 4);
    optimizer = tiny_optimizer(context);
    GOOD(fine_schedule_new(&schedule, context, "linear", NULL));
    GOOD(fine_tensors_new(&tensors, context));
    GOOD(fine_recipe_parse(&recipe, context, "model: x", 8, NULL));
    GOOD(fine_session_new(&session, tiny_model(context)));
    GOOD(fine_session_evaluate(session, data, &report));
    trainer = tiny_trainer(tiny_model(context), data, tiny_optimizer(context), 2);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    file = fopen(path, "w");
    ck_assert(fputs(tiny_vocabulary, file) >= 0 && fclose(file) == 0);
    GOOD(fine_tokenizer_open(&tokenizer, context, folder));
    GOOD(fine_tokenizer_encode(&encoding, tokenizer, "the", -1, NULL, 0, NULL));
    ck_assert(remove(path) == 0 && remove(folder) == 0);
}
"""


def functions(paths):
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        for result, name, arguments in re.findall(r"FINE_API\s([^;(]*?)\b(fine_\w+)\s*\(([^;]*?)\)\s*;", text, re.S):
            arguments = [" ".join(a.split()) for a in arguments.split(",")]
            yield result.strip(), name, [] if arguments == ["void"] else arguments


def value(argument):
    """A good value for an argument, and whether it is a pointer."""
    if "*" not in argument:
        return ("1.0" if argument.startswith("double") else "1"), False
    if argument.startswith("const struct") and argument.endswith("options"):
        return "NULL", False        # the defaults
    if argument.startswith("char *"):
        return "(char *)scratch", True
    kind = re.sub(r"^const ", "", re.sub(r"\w+$", "", argument)).strip()
    if kind in GOOD:
        return GOOD[kind], True
    return "(void *)scratch", True


def main(out, paths):
    calls = []
    for result, name, arguments in functions(paths):
        values = [value(a) for a in arguments]
        for k, (_, is_pointer) in enumerate(values):
            if not is_pointer:
                continue
            given = ", ".join("NULL" if i == k else v for i, (v, _) in enumerate(values))
            pointer = re.search(r"(\w*)$", arguments[k]).group(1)
            wants_error = result == "int" and not re.search(MAY_BE_NULL, f"{name} {pointer}")
            code = f"(long long){name}({given})" if result == "int" else f"({name}({given}), 0)"
            what = f"{name}: {arguments[k].split('*')[-1] or 'argument'} is NULL"
            calls.append((what, code, int(bool(wants_error))))
    with open(out, "w", encoding="utf-8") as f:
        f.write(SETUP)
        for i, (what, code, wants_error) in enumerate(calls):
            f.write(f"static long long call_{i}(void) {{ return {code}; }}\n")
        f.write("static const struct { const char *what; long long (*call)(void); int wants_error; } calls[] = {\n")
        for i, (what, code, wants_error) in enumerate(calls):
            f.write(f'    {{ "{what}", call_{i}, {wants_error} }},\n')
        f.write(r"""};

START_TEST(null)
{
    long long rc = calls[_i].call();

    ck_assert_msg(!calls[_i].wants_error || rc == FINE_EINVAL, "%s: %lld", calls[_i].what, rc);
    ck_assert_msg(rc >= 0 || fine_error_message()[0] != '\0', "%s: no message", calls[_i].what);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("nulls");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(all, set_up, NULL);
    tcase_add_loop_test(all, null, 0, (int)(sizeof calls / sizeof calls[0]));
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed > 0;
}
""")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
