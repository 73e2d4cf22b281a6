/* test_conll.c — conll.c: words a line to sentences with entities, in every spelling. */
#include "tables.h"

#include "data/tags.h"

static fine_context *ctx;

static struct fine_dataset_options
tag_options(void)
{
    struct fine_dataset_options options = default_options();

    options.task = "tag";
    return options;
}

/* "text {entity|TYPE entity|TYPE}" a line. */
static const char *
sentences_of(const fine_dataset *d)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];
        const char *text = fine__dataset_text(d, i);

        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s {", i > 0 ? "\n" : "", text);
        for (int64_t k = 0; k < row->n_marks; k++) {
            const struct fine__mark *mark = &d->marks[row->first_mark + k];

            n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s|%s", k > 0 ? " " : "",
                                  (int)(mark->end - mark->start), text + mark->start,
                                  fine__tags_type(d->labels[mark->label]));
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "}");
    }
    return all;
}

static void
check_sentences(const char *text, const struct fine_dataset_options *options, const char *expected)
{
    struct fine_dataset_options usual = tag_options();
    fine_dataset *d = must_parse(ctx, "t.conll", text, options != NULL ? options : &usual);

    ck_assert_str_eq(sentences_of(d), expected);
    fine__dataset_unref(d);
}

static void
check_findings(const char *text, const struct fine_dataset_options *options, const char *expected)
{
    struct fine_dataset_options usual = tag_options();

    ck_assert_str_eq(findings_of(ctx, "t.conll", text, options != NULL ? options : &usual),
                     expected);
}

START_TEST(reads_words_a_line)
{
    ctx = new_context(1);
    check_sentences("EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n\nPeter B-PER\nBlackburn I-PER\n",
                    NULL, "EU rejects German call {EU|ORG German|MISC}\n"
                          "Peter Blackburn {Peter Blackburn|PER}");
    check_sentences("a\tB-X\r\nb\tI-X\r\n\t\r\nc\tO", NULL, "a b {a b|X}\nc {}");
    check_sentences("\xef\xbb\xbf" "a O\ra B-X\r\rb B-X", NULL, "a a {a|X}\nb {b|X}");
    check_sentences("EU  NNP  I-NP  I-ORG \n\n\n\n  de NNP I-NP I-ORG\n", NULL,
                    "EU {EU|ORG}\nde {de|ORG}");
    check_sentences("-DOCSTART- -X- -X- O\n\na b c B-X\n-DOCSTART- O\nd e f O\n", NULL,
                    "a {a|X}\nd {}");
    check_sentences("\xf0\x9f\x98\x80 B-X\n\xc3\xa9t\xc3\xa9 I-X\n\xc3\xa9 O\n", NULL,
                    "\xf0\x9f\x98\x80 \xc3\xa9t\xc3\xa9 \xc3\xa9 "
                    "{\xf0\x9f\x98\x80 \xc3\xa9t\xc3\xa9|X}");
    free_context(ctx);
}
END_TEST

START_TEST(knows_comments_from_words)
{
    ctx = new_context(1);
    check_sentences("# id 7b\n# text = a b\na\tO\n#tag\tB-X\n\n#b\tB-X\n\n# newdoc\n", NULL,
                    "a #tag {#tag|X}\n#b {#b|X}");
    free_context(ctx);
}
END_TEST

START_TEST(comments_stand_before_words)
{
    ctx = new_context(1);
    check_sentences("# id 1 domain=en\na O\nb B-X\n\n# O\n\n# id 2\n# B-X\nc O\n", NULL,
                    "a b {b|X}\n# {}\n# c {#|X}");
    check_findings("a O\n# id 1 domain=en\n", NULL,
                   "t.conll:2: 4 columns, but there should be 2; a line is a word and its tag, and "
                   "a blank one ends a sentence");
    free_context(ctx);
}
END_TEST

START_TEST(reads_every_scheme_alike)
{
    static const char *const same[] = {
        "a I-X\nb I-X\nc B-X\nd O\ne I-Y\nf I-X\n",      /* IOB1 */
        "a B-X\nb I-X\nc B-X\nd O\ne B-Y\nf B-X\n",      /* IOB2 */
        "a B-X\nb E-X\nc S-X\nd O\ne S-Y\nf S-X\n",      /* BIOES */
        "a B-X\nb L-X\nc U-X\nd O\ne U-Y\nf U-X\n",      /* BILOU */
        "a E-X\nb I-X\nc B-X\nd O\ne I-Y\nf E-X\n",
    };
    static const char *const schemes[] = { "iob1", "iob2", "bioes", "bilou" };
    struct fine_dataset_options options = tag_options();

    ctx = new_context(1);
    for (int i = 0; i < 4; i++) {
        check_sentences(same[i], NULL, "a b c d e f {a b|X c|X e|Y f|X}");
        options.scheme = schemes[i];
        check_sentences(same[i], &options, "a b c d e f {a b|X c|X e|Y f|X}");
    }
    /* What an E ends, an I begins anew. */
    check_sentences(same[4], NULL, "a b c d e f {a|X b|X c|X e|Y f|X}");
    check_sentences("a B\nb I\nc O\n", NULL, "a b c {a b|_}");
    check_sentences("a B-x-y\nb I-x-y\n", NULL, "a b {a b|x-y}");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_wrong_spellings)
{
    struct fine_dataset_options options = tag_options();

    ctx = new_context(1);
    check_findings("a X-Y\nb B_Y\nc B-\nd o\ne  \n\nf Q\n", NULL,
                   "t.conll:1: column 2 must be a tag, O or a letter of B, I, E, S, L and U with a "
                   "name, such as B-NAME\n"
                   "t.conll:2: column 2 must be a tag, O or a letter of B, I, E, S, L and U with a "
                   "name, such as B-NAME\n"
                   "t.conll:3: column 2 must be a tag, O or a letter of B, I, E, S, L and U with a "
                   "name, such as B-NAME\n"
                   "t.conll:4: column 2 must be a tag, O or a letter of B, I, E, S, L and U with a "
                   "name, such as B-NAME\n"
                   "t.conll:5: 1 column, but there should be 2; a line is a word and its tag, and a "
                   "blank one ends a sentence\n"
                   "t.conll:7: column 2 must be a tag, O or a letter of B, I, E, S, L and U with a "
                   "name, such as B-NAME");
    check_findings("a S-X\nb U-X\n", NULL,
                   "t.conll:2: the tag begins with U, and that on line 1 with S: no scheme has "
                   "both");
    options.scheme = "iob2";
    check_findings("a B-X\nb E-X\n", &options,
                   "t.conll:2: the tag begins with E, which data.scheme: iob2 doesn't know");
    check_findings("a b\tO\n\tO\n", NULL,
                   "t.conll:1: the word holds a blank; write one word a line\n"
                   "t.conll:2: the word is empty");
    check_findings("a\nb\n", NULL,
                   "t.conll:1: there is one column, so words have no tags; write them in a column "
                   "of their own");
    check_findings("a O\n\xff O\n", NULL,
                   "t.conll:2: byte 1 of the line (0xff) is not UTF-8; if the file is in another "
                   "encoding, set data.encoding to latin-1 or cp1252");
    free_context(ctx);
}
END_TEST

START_TEST(skips_whole_sentences)
{
    struct fine_dataset_options options = tag_options();
    fine_dataset *d;

    options.on_bad_row = "skip";
    ctx = new_context(1);
    d = must_parse(ctx, "t.conll", "a B-X\nb B-NEW\nc ?\n\nd B-Y\n\ne\n", &options);
    ck_assert_str_eq(sentences_of(d), "d {d|Y}");
    ck_assert_int_eq(d->skipped, 2);
    ck_assert_int_eq(d->n_labels, 3); /* a sentence that is left out brings no label in */
    ck_assert_int_eq(d->rows[0].line, 5);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(takes_columns_and_labels)
{
    static const char *const names[] = { "id", "word", "pos", "ner" };
    static const char *const types[] = { "Y", "X" };
    static const char *const tags[] = { "O", "I-X", "B-X" };
    struct fine_dataset_options options = tag_options();
    fine_dataset *d;

    ctx = new_context(1);
    options.text = "2";
    options.label = "4";
    check_sentences("1 a N B-X z\n2 b N I-X z\n", &options, "a b {a b|X}");
    options.text = "2";
    options.label = "1";
    check_sentences("B-X a\nI-LONGER b\n", &options, "a b {a|X b|LONGER}");
    options.columns = names;
    options.n_columns = 4;
    options.text = "word";
    options.label = "ner";
    check_sentences("1 a N B-X\n", &options, "a {a|X}");
    options.text = "token";
    ck_assert_int_eq(parse(&d, ctx, "t.conll", "a O\n", -1, &options), FINE_EINVAL);
    options = tag_options();
    options.label = "3";
    check_findings("a O\n", &options, "t.conll:1: there is no column 3; correct data.label");
    options = tag_options();
    options.labels = types;
    options.n_labels = 2;
    d = must_parse(ctx, "t.conll", "a B-X\n", &options);
    ck_assert_int_eq(d->n_labels, 5);
    ck_assert_str_eq(d->labels[0], "B-Y");
    ck_assert_str_eq(d->labels[d->marks[0].label], "B-X");
    fine__dataset_unref(d);
    options.labels = tags;
    options.n_labels = 3;
    d = must_parse(ctx, "t.conll", "a B-X\n", &options);
    ck_assert_str_eq(d->labels[d->marks[0].label], "B-X");
    fine__dataset_unref(d);
    check_findings("a O\nb B-Z\n", &options,
                   "t.conll:2: the tag is of none of the 3 labels in task.labels");
    options = tag_options();
    options.require_label = 0;
    d = must_parse(ctx, "t.conll", "a\nb\n\nc\n", &options);
    ck_assert_str_eq(sentences_of(d), "a b {}\nc {}");
    ck_assert(!d->has_labels);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(is_for_tags_alone)
{
    struct fine_dataset_options options = default_options();
    fine_dataset *d;

    ctx = new_context(1);
    d = must_parse(ctx, "t.conll", "a B-X\n", &options);
    ck_assert_int_eq(d->content, FINE__ROWS_OF_TAGS);
    fine__dataset_unref(d);
    options.format = "conll";
    options.task = "classify";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "a B-X\n", -1, &options), FINE_EINVAL);
    options.task = "tag";
    options.format = "csv";
    ck_assert_int_eq(parse(&d, ctx, "t.conll", "a B-X\n", -1, &options), FINE_EINVAL);
    options.format = NULL;
    d = must_parse(ctx, "t.tsv", "a\tB-X\n", &options);
    ck_assert_str_eq(sentences_of(d), "a {a|X}");
    fine__dataset_unref(d);
    options.group = "g";
    ck_assert_int_eq(parse(&d, ctx, "t.conll", "a B-X\n", -1, &options), FINE_EINVAL);
    options.group = NULL;
    options.scheme = "iob3";
    ck_assert_int_eq(parse(&d, ctx, "t.conll", "a B-X\n", -1, &options), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

START_TEST(takes_rows_from_memory)
{
    struct fine_dataset_options options = tag_options();
    fine_dataset *d;

    ctx = new_context(1);
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, "I saw New  York", NULL, "O O B-LOC I-LOC", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "Bob ran", NULL, "I-ANIMAL O", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "", NULL, "", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "two words", NULL, "O", NULL), FINE_EDATA);
    ck_assert_int_eq(fine__dataset_add(d, "two words", NULL, "O x", NULL), FINE_EDATA);
    ck_assert_int_eq(fine__dataset_add(d, "two words", NULL, NULL, NULL), FINE_EDATA);
    ck_assert_str_eq(sentences_of(d), "I saw New  York {New  York|LOC}\nBob ran {Bob|ANIMAL}\n {}");
    ck_assert_int_eq(d->n_labels, 5);
    ck_assert_str_eq(d->labels[4], "O");
    ck_assert(d->blank_words);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(survives_failing_allocations)
{
    struct fine_dataset_options options = tag_options();

    for (long long i = 1;; i++) {
        struct faulty faulty;
        struct fine__buf bytes;
        fine_dataset *d = NULL;
        int rc;

        ctx = new_faulty_context(&faulty, 1);
        faulty.calls = 0;
        faulty.fail_at = i;
        fine__buf_init(&bytes, ctx);
        fine__buf_text(&bytes, "a B-X\nb I-X\nc B-Y\n\nd S-Z\n\n");
        rc = fine__dataset_parse(&d, ctx, "t.conll", &bytes, &options);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        if (rc == 0)
            fine__dataset_unref(d);
        free_context(ctx);
        if (rc == 0 && faulty.calls < i)
            break;
    }
}
END_TEST

RUNNER("conll", reads_words_a_line, comments_stand_before_words, knows_comments_from_words,
       reads_every_scheme_alike, refuses_wrong_spellings, skips_whole_sentences,
       takes_columns_and_labels, is_for_tags_alone, takes_rows_from_memory,
       survives_failing_allocations)
