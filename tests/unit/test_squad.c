/* test_squad.c — squad.c: questions, contexts, and answers that stand where they say. */
#include "tables.h"

#include "data/table.h"

/* "question|context|answer,answer" of each row; what is empty has no answer. */
static const char *
answers_of(const fine_dataset *d)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];
        const char *context = fine__dataset_pair(d, i);

        n += (size_t)snprintf(all + n, sizeof all - n, "%s[%s|%s|", i > 0 ? " " : "",
                              fine__dataset_text(d, i), context);
        for (int64_t k = 0; k < row->n_marks; k++) {
            const struct fine__mark *mark = &d->marks[row->first_mark + k];

            n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s", k > 0 ? "," : "",
                                  (int)(mark->end - mark->start), context + mark->start);
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "]");
    }
    return all;
}

static struct fine_dataset_options
options_of(const char *on_bad_row)
{
    struct fine_dataset_options options = default_options();

    options.task = "answer";
    options.on_bad_row = on_bad_row;
    return options;
}

static void
check_rows(const char *name, const char *text, const char *expected)
{
    const struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, name, text, &options);

    ck_assert_str_eq(answers_of(d), expected);
    ck_assert_int_eq(d->content, FINE__ROWS_OF_ANSWERS);
    ck_assert(d->has_pairs && d->has_labels && d->n_labels == 0);
    fine__dataset_unref(d);
    free_context(ctx);
}

static void
check_finding(const char *name, const char *text, const char *expected)
{
    const struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);

    ck_assert_str_eq(findings_of(ctx, name, text, &options), expected);
    free_context(ctx);
}

/* A file of one article with one paragraph. */
#define SQUAD(context, qas) "{\"version\":\"1.1\",\"data\":[{\"title\":\"t\",\"paragraphs\":[" \
                            "{\"context\":\"" context "\",\"qas\":[" qas "]}]}]}"
#define QA(question, id, answers) "{\"question\":\"" question "\",\"id\":\"" id \
                                  "\",\"answers\":[" answers "]}"
#define ANSWER(text, start) "{\"text\":\"" text "\",\"answer_start\":" #start "}"

START_TEST(reads_squad)
{
    check_rows("a.json", SQUAD("the cat sat", QA("who?", "1", ANSWER("the cat", 0) ","
                               ANSWER("cat", 4)) "," QA("what?", "2", ANSWER("sat", 8))),
               "[who?|the cat sat|the cat,cat] [what?|the cat sat|sat]");
    /* SQuAD 2: no answer, plausible ones ignored, the flag agrees. */
    check_rows("a.JSON", "\xef\xbb\xbf" SQUAD("the cat", "{\"question\":\"q\",\"id\":7,\"answers\":[],"
               "\"is_impossible\":true,\"plausible_answers\":[" ANSWER("cat", 4) "]},"
               "{\"question\":\"r\",\"id\":\"8\",\"answers\":[" ANSWER("cat", 4) "],"
               "\"is_impossible\":false}"), "[q|the cat|] [r|the cat|cat]");
    check_rows("a.json", SQUAD("the cat", "{\"question\":\"q\",\"is_impossible\":true}"),
               "[q|the cat|]");
}
END_TEST

START_TEST(counts_in_characters)
{
    /* Before the answer: one, two, three and four bytes a character. */
    check_rows("a.json", SQUAD("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", QA("q", "1", ANSWER("z", 4))),
               "[q|a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z|z]");
    check_rows("a.json", SQUAD("\\u00e9\\ud83d\\ude00 end", QA("q", "1", ANSWER("end", 3))),
               "[q|\xc3\xa9\xf0\x9f\x98\x80 end|end]");
    check_finding("a.json", SQUAD("\xc3\xa9 end", QA("q", "1", ANSWER("end", 3))),
                  "a.json: question 1 ('1'): answer 1 isn't at character 3 of the context; it "
                  "stands at 2");
}
END_TEST

START_TEST(counts_in_long_contexts)
{
    const struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    static char context[20000], text[30000];
    fine_dataset *d;

    /* Every place around the marks of the index, in two bytes a character. */
    for (int at = 0; at < 1300; at += at % 256 < 2 || at % 256 > 252 ? 1 : 83) {
        size_t n = 0;

        for (int i = 0; i < 1300; i++)
            n += (size_t)sprintf(context + n, i == at ? "z" : "\xc3\xa9");
        (void)snprintf(text, sizeof text,
                       "{\"data\":[{\"paragraphs\":[{\"context\":\"%s\",\"qas\":[{\"question\":"
                       "\"q\",\"id\":\"i\",\"answers\":[{\"text\":\"z\",\"answer_start\":%d}]}]}]}]}",
                       context, at);
        d = must_parse(ctx, "a.json", text, &options);
        ck_assert_int_eq(d->marks[0].start, 2 * at);
        ck_assert_int_eq(d->marks[0].end, 2 * at + 1);
        fine__dataset_unref(d);
    }
    free_context(ctx);
}
END_TEST

START_TEST(reads_lines)
{
    check_rows("a.jsonl", "{\"id\":\"1\",\"question\":\"q\",\"context\":\"a b\",\"answers\":{\"text\":"
               "[\"b\",\"a\"],\"answer_start\":[2,0]}}\n\n{\"id\":\"2\",\"question\":\"r\","
               "\"context\":\"c\",\"answers\":{\"text\":[],\"answer_start\":[]}}\n"
               "{\"question\":\"s\",\"context\":\"c\",\"answers\":[{\"text\":\"c\","
               "\"answer_start\":0}],\"title\":\"x\"}", "[q|a b|b,a] [r|c|] [s|c|c]");
}
END_TEST

START_TEST(keeps_a_context_once)
{
    const struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "a.json", SQUAD("a b c", QA("q", "1", ANSWER("a", 0)) ","
                                 QA("r", "2", ANSWER("b", 2)) "," QA("s", "3", ANSWER("c", 4))),
                                 &options), *part;
    static const int64_t rows[] = { 2, 0 };

    ck_assert_int_eq(d->rows[0].pair, d->rows[2].pair);
    ck_assert_int_eq(d->rows[0].split, d->rows[0].pair);
    ck_assert_str_eq(d->bytes.data + d->rows[1].id, "2");
    ck_assert_int_eq(d->rows[0].line, 0);
    ck_assert_str_eq(fine__dataset_describe(d),
                     "{\"rows\":3,\"skipped\":0,\"answers\":{\"none\":0,\"one\":3,\"several\":0},"
                     "\"text_chars\":{\"min\":1,\"median\":1,\"max\":1},\"pair_chars\":{\"min\":5,"
                     "\"median\":5,\"max\":5},\"empty_texts\":0,\"duplicate_texts\":0,"
                     "\"columns\":{\"used\":[\"question\",\"context\",\"answers\"],\"unused\":[]}}");
    ck_assert_int_eq(fine__dataset_select(&part, d, rows, 2), 0);
    ck_assert_str_eq(answers_of(part), "[s|a b c|c] [q|a b c|a]");
    ck_assert_int_eq(part->rows[0].pair, part->rows[1].pair);
    ck_assert_uint_eq(part->bytes.length, 6 + 4 + 4);
    fine__dataset_unref(part);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(splits_by_context_or_key)
{
    static const char text[] =
        "{\"data\":[{\"title\":\"one\",\"paragraphs\":[{\"context\":\"a\",\"qas\":["
        QA("q", "1", ANSWER("a", 0)) "," QA("r", "2", ANSWER("a", 0)) "]},{\"context\":\"b\","
        "\"qas\":[" QA("s", "3", ANSWER("b", 0)) "]}]},{\"title\":\"two\",\"paragraphs\":["
        "{\"context\":\"c\",\"qas\":[" QA("t", "4", ANSWER("c", 0)) "]}]}]}";
    struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d, *rest, *held;

    options.group = "title";
    for (int by = 0; by < 3; by++) {
        options.split_by = by == 1 ? "title" : by == 2 ? "id" : NULL;
        d = must_parse(ctx, "a.json", text, &options);
        ck_assert_str_eq(fine__dataset_group(d, 2), "one");
        for (int64_t seed = 0; seed < 8; seed++) {
            ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.5, seed), 0);
            for (int64_t i = 0; i < rest->n_rows; i++)
                for (int64_t k = 0; k < held->n_rows && by < 2; k++)
                    ck_assert_str_ne(by == 0 ? fine__dataset_pair(rest, i)
                                             : fine__dataset_group(rest, i),
                                     by == 0 ? fine__dataset_pair(held, k)
                                             : fine__dataset_group(held, k));
            fine__dataset_unref(rest);
            fine__dataset_unref(held);
        }
        fine__dataset_unref(d);
    }
    options.split_by = "nothing";
    assert_contains(findings_of(ctx, "a.json", text, &options),
                    "a.json: question 1 ('1'): 'nothing' is missing");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_questions)
{
    static const struct {
        const char *qa, *finding;
    } bad[] = {
        { QA("q", "x", ANSWER("cat", 3)), "answer 1 isn't at character 3 of the context; it stands "
                                          "at 4" },
        { QA("q", "x", ANSWER("the", 0) "," ANSWER("dog", 4)),
          "answer 2 isn't at character 4 of the context, nor anywhere in it" },
        { QA("q", "x", ANSWER("cat", 400)), "answer 1 isn't at character 400 of the context; it "
                                            "stands at 4" },
        { QA("q", "x", ANSWER("cat", -1)), "answer 1 isn't at character -1 of the context; it "
                                           "stands at 4" },
        { QA("q", "x", ANSWER("cat sat", 4)), "answer 1 isn't at character 4 of the context, nor "
                                              "anywhere in it" },
        { QA("q", "x", ANSWER(" ", 3)), "answer 1 is blank; a question without an answer has an "
                                        "empty list" },
        { QA("q", "x", ANSWER("cat", "4")), "answer 1 has no 'answer_start', the character of the "
                                            "context that it begins with" },
        { QA("q", "x", "{\"answer_start\":4}"), "answer 1 has no 'text'" },
        { QA("q", "x", "4"), "answer 1 has no 'text'" },
        { "{\"question\":\"q\",\"id\":\"x\",\"answers\":{\"text\":[\"a\"],\"answer_start\":[]}}",
          "'answers' must be a list of {\"text\", \"answer_start\"}, or an object with two lists of "
          "one length by these names" },
        { "{\"question\":\"q\",\"id\":\"x\",\"answers\":\"cat\"}",
          "'answers' must be a list of {\"text\", \"answer_start\"}, or an object with two lists of "
          "one length by these names" },
        { "{\"question\":\"q\",\"id\":\"x\"}", "'answers' is missing" },
        { "{\"id\":\"x\",\"answers\":[]}", "'question' is missing" },
        { "{\"question\":1,\"id\":\"x\",\"answers\":[]}", "'question' must be a string" },
        { "{\"question\":\"q\",\"id\":\"x\",\"answers\":[],\"is_impossible\":false}",
          "it has no answer, but is_impossible is false" },
        { "{\"question\":\"q\",\"id\":\"x\",\"is_impossible\":true,\"answers\":["
          ANSWER("cat", 4) "]}", "it is_impossible, but it has an answer" },
    };
    char text[1000], expected[400];
    struct fine_dataset_options skip = options_of("skip");
    fine_context *ctx = new_context(1);

    for (int i = 0; i < FINE__COUNT(bad); i++) {
        fine_dataset *d;

        snprintf(text, sizeof text, SQUAD("the cat", QA("good", "1", ANSWER("the", 0)) ",%s"),
                 bad[i].qa);
        snprintf(expected, sizeof expected, "a.json: question 2 ('x'): %s", bad[i].finding);
        check_finding("a.json", text, expected);
        d = must_parse(ctx, "a.json", text, &skip);
        ck_assert_str_eq(answers_of(d), "[good|the cat|the]");
        ck_assert_int_eq(d->skipped, 1);
        ck_assert_int_eq(d->n_marks, 1);
        fine__dataset_unref(d);
    }
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_lines)
{
    check_finding("a.jsonl", "{\"question\":\"q\",\"context\":\"a\",\"id\":\"1\",\"answers\":[]}\n"
                  "{\"question\":\"q\",\"context\":\"\",\"answers\":[]}\n"
                  "{\"question\":\"q\",\"context\":7,\"answers\":[]}\n"
                  "{\"question\":\"q\",\"answers\":[]}\n[]\nnothing\n"
                  "{\"question\":\"q\",\"context\":\"a\",\"id\":\"1\",\"answers\":[]}\n"
                  "{\"question\":\"q\",\"context\":\"a\",\"id\":[],\"answers\":[]}\n"
                  "{\"question\":\"q\",\"context\":\"ab\",\"answers\":[{\"text\":\"b\","
                  "\"answer_start\":0}]}\n",
                  "a.jsonl:2: its context is empty\n"
                  "a.jsonl:3: 'context' must be a string\n"
                  "a.jsonl:4: 'context' is missing\n"
                  "a.jsonl:5: the line is a list, but must be an object\n"
                  "a.jsonl:6: character 7 of the line: not JSON: invalid token\n"
                  "a.jsonl:7: its 'id' is that of line 1 too\n"
                  "a.jsonl:8: 'id' must be a string of at most 1000 bytes, or an integer\n"
                  "a.jsonl:9: answer 1 isn't at character 0 of the context; it stands at 1");
    check_finding("a.jsonl", "{\"q\":1}\n", "a.jsonl: no column 'question'; there are: 'q'. Set "
                  "data.text\na.jsonl: no column 'context'; there are: 'q'. Set data.text_pair\n"
                  "a.jsonl: no column 'answers'; there are: 'q'. Set data.label");
}
END_TEST

START_TEST(refuses_bad_files)
{
    struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    check_finding("a.json", "[1]", "a.json: there is no list 'data' as SQuAD's files have it; write "
                  "one question a line to a .jsonl file instead");
    check_finding("a.json", "{\"data\":[1,{\"paragraphs\":[{\"context\":\"a\"}]}]}",
                  "a.json: article 1 has no list 'paragraphs'\n"
                  "a.json: a paragraph behind question 0 has no list 'qas'");
    check_finding("a.json", "{\"data\":[\n{\"paragraphs\":SECRET}]}",
                  "a.json:2: character 20: not JSON: invalid token");
    check_finding("a.json", " ", "a.json: is empty, but must hold JSON");
    check_finding("a.json", "{\"data\":[\n\"\xff\"]}", "a.json:2: byte 2 of the line (0xff) is not "
                  "UTF-8; if the file is in another encoding, set data.encoding to latin-1 or cp1252");
    check_finding("a.json", SQUAD("", QA("q", "x", "")), "a.json: question 1 ('x'): its context is "
                  "empty");
    check_finding("a.json", SQUAD("a", QA("q", "x", "") "," QA("r", "x", "")),
                  "a.json: question 2 ('x'): its 'id' is that of question 1 too");
    check_finding("a.json", "{\"data\":[{\"paragraphs\":[{\"qas\":[" QA("q", "x", "") "]},"
                  "{\"context\":\"a\",\"qas\":[" QA("q", "y", "") "]}]}]}",
                  "a.json: question 1 ('x'): 'context' is missing");
    check_finding("a.json", "{\"data\":[{\"paragraphs\":[{\"qas\":[{\"q\":1},{\"q\":2}]}]}]}",
                  "a.json: none of the 2 questions has 'question'; set data.text to the name it "
                  "has\na.json: none of the 2 questions has 'context'; set data.text_pair to the "
                  "name it has\na.json: none of the 2 questions has 'answers'; set data.label to the "
                  "name it has");
    ck_assert_int_eq(parse(&d, ctx, "a.csv", "question,context\nq,c\n", -1, &options), FINE_EDATA);
    assert_contains(fine_error_message(), "a table has no form for them");
    options.format = "squad";
    options.task = NULL;
    ck_assert_int_eq(parse(&d, ctx, "a.csv", "{}", -1, &options), FINE_EINVAL);
    assert_contains(fine_error_message(), "squad is for task.type: answer");
    options.task = "answer";
    options.labels = (const char *const[]){ "a", "b" };
    options.n_labels = 2;
    ck_assert_int_eq(parse(&d, ctx, "a.txt", "{}", -1, &options), FINE_EINVAL);
    assert_contains(fine_error_message(), "answers are places, not labels");
    ck_assert_ptr_null(d);
    free_context(ctx);
}
END_TEST

START_TEST(takes_other_names_and_no_answers)
{
    struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.text = "ask";
    options.text_pair = "in";
    options.label = "found";
    options.group = "n";
    d = must_parse(ctx, "a.jsonl", "{\"ask\":\"q\",\"in\":\"ab\",\"found\":[{\"text\":\"b\","
                   "\"answer_start\":1}],\"n\":12}", &options);
    ck_assert_str_eq(answers_of(d), "[q|ab|b]");
    ck_assert_str_eq(fine__dataset_group(d, 0), "12");
    fine__dataset_unref(d);
    options.require_label = 0;
    options.group = NULL;
    d = must_parse(ctx, "a.jsonl", "{\"ask\":\"q\",\"in\":\"ab\"}", &options);
    ck_assert_str_eq(answers_of(d), "[q|ab|]");
    ck_assert(!d->has_labels);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(adds_rows_from_memory)
{
    const struct fine_dataset_options options = options_of(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, "q", "\xc3\xa9 b", "[{\"text\":\"b\",\"answer_start\":2}]",
                                       "g"), 0);
    ck_assert_int_eq(fine__dataset_add(d, "r", "c", "[]", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "r", "c", "{\"text\":[\"c\",\"d\"],\"answer_start\":[0,0]}",
                                       NULL), FINE_EDATA);
    assert_contains(fine_error_message(), "memory: row 3: answer 2 isn't at character 0 of the "
                                          "context, nor anywhere in it");
    ck_assert_int_eq(d->n_marks, 1);
    ck_assert_int_eq(fine__dataset_add(d, "r", "c", "c", NULL), FINE_EDATA);
    assert_contains(fine_error_message(), "memory: row 3: the label is not JSON");
    ck_assert_int_eq(fine__dataset_add(d, "r", "", "[]", NULL), FINE_EDATA);
    ck_assert_int_eq(fine__dataset_add(d, "r", "c", NULL, NULL), FINE_EDATA);
    assert_contains(fine_error_message(), "[] for none");
    ck_assert_str_eq(answers_of(d), "[q|\xc3\xa9 b|b] [r|c|]");
    ck_assert_int_eq(fine__dataset_check_task(d, FINE__ROWS_OF_ANSWERS), 0);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(survives_no_memory)
{
    static const char squad[] = SQUAD("\xc3\xa9 cat", QA("who?", "1", ANSWER("cat", 2)) ","
                                      QA("what?", "2", ""));
    static const char lines[] = "{\"id\":\"1\",\"question\":\"q\",\"context\":\"\xc3\xa9 b\",\"answers\":"
                                "{\"text\":[\"b\"],\"answer_start\":[2]}}\n";
    const struct fine_dataset_options options = options_of(NULL);
    struct faulty faulty;
    int n_failed = 0;

    for (int which = 0; which < 3; which++)
        for (long long n = 1, done = 0; !done; n++) {
            fine_context *ctx = new_faulty_context(&faulty, 1);
            fine_dataset *d = NULL;
            int rc;

            faulty.fail_at = n;
            if (which < 2) {
                rc = parse(&d, ctx, which ? "a.json" : "a.jsonl", which ? squad : lines, -1,
                           &options);
            } else {
                rc = fine__dataset_new(&d, ctx, &options);
                if (rc == 0)
                    rc = fine__dataset_add(d, "q", "\xc3\xa9 b",
                                           "[{\"text\":\"b\",\"answer_start\":2}]", NULL);
                ck_assert(rc == 0 || d == NULL || (d->n_rows == 0 && d->n_marks == 0));
            }
            ck_assert(rc == 0 || rc == FINE_ENOMEM);
            n_failed += rc < 0;
            done = rc == 0 && faulty.calls < n;
            fine__dataset_unref(d);
            free_context(ctx);
        }
    ck_assert_int_gt(n_failed, 15);
}
END_TEST

RUNNER("squad", reads_squad, counts_in_characters, counts_in_long_contexts, reads_lines,
       keeps_a_context_once, splits_by_context_or_key, refuses_bad_questions, refuses_bad_lines,
       refuses_bad_files, takes_other_names_and_no_answers, adds_rows_from_memory,
       survives_no_memory)
