/*
 * text_sets.c — public text sets, read whole.
 *
 *     text_sets ROOT
 *
 * Each row of the table below is a real file as people have it: CRLF, line feeds in
 * quotes, byte order marks, latin-1, quotes that aren't quoting. The fingerprint is
 * FNV-1a (64 bits) over all texts, pairs and labels, each with its NUL, and was
 * computed from the files by other programs: no row and no byte is lost. The sets
 * lie beside the source; where they don't, this is skipped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <finetune/dataset.h>

#include "base/number.h"

enum { SKIPPED = 77 };

struct set {
    const char *path;
    struct fine_dataset_options options;
    int64_t n_rows, n_labels;
    uint64_t fingerprint;
};

#define NAMES(...)                                                            \
    .columns = (const char *const[]){ __VA_ARGS__ },                          \
    .n_columns = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)
#define BANKING { .label = "category" }
#define SMS { .separator = "\t", .text = "SMS", .label = "Label" }
#define TREC { .separator = " ", .encoding = "latin-1" }
#define SST { .separator = " " }
#define COLA { NAMES("source", "label", "mark", "text") }
#define MRPC { .text = "#1 String", .text_pair = "#2 String", .label = "Quality" }
#define STSB { .text_pair = "pair", .label_is_number = 1, NAMES("text", "pair", "label") }
#define MEDICAL { .text = "medical_abstract", .label = "condition_label" }

static const struct set sets[] = {
    { "banking77/train.csv", BANKING, 10003, 77, 0xe65b9975f1e8cddd },
    { "banking77/test.csv", BANKING, 3080, 77, 0x1b941dc304e40c32 },
    { "sms-spam/SMSSpamCollection", SMS, 5574, 2, 0x59d414896449ec63 },
    { "trec/TREC.train", TREC, 5452, 50, 0x850d0627ef48fc81 },
    { "trec/TREC.test", TREC, 500, 42, 0x4fe63c09b7e63a64 },
    { "trec/TREC.train.all", TREC, 5452, 6, 0x0c12617179e989e9 },
    { "trec/TREC.test.all", TREC, 500, 6, 0x48b80ca9ff525239 },
    { "sst2/stsa.binary.train", SST, 6920, 2, 0x05748e65773c6fea },
    { "sst2/stsa.binary.dev", SST, 872, 2, 0x3b8f86104943712b },
    { "sst2/stsa.binary.test", SST, 1821, 2, 0xf90d084782a025fb },
    { "cola/cola_public_raw_in_domain_train.tsv", COLA, 8551, 2, 0xc1dadde1774bfa23 },
    { "cola/cola_public_raw_in_domain_dev.tsv", COLA, 527, 2, 0xb0a509cff0951f3e },
    { "cola/cola_public_raw_out_of_domain_dev.tsv", COLA, 516, 2, 0x07370c89c461b5d2 },
    { "mrpc/msr-para-train.tsv", MRPC, 3576, 2, 0xe80b93f6f40be21c },
    { "mrpc/msr-para-val.tsv", MRPC, 500, 2, 0xf09f3e8ee3503930 },
    { "mrpc/msr-para-test.tsv", MRPC, 1725, 2, 0xb88e110b4cb07fc1 },
    { "stsb/stsb-en-train.csv", STSB, 5749, 0, 0xbe0f022259d42e8b },
    { "stsb/stsb-en-dev.csv", STSB, 1500, 0, 0x1ced94e45f76107a },
    { "stsb/stsb-en-test.csv", STSB, 1379, 0, 0x23cf0fcfc803df27 },
    { "medical-abstracts/medical_tc_test.csv", MEDICAL, 2888, 5, 0x1339edea5b7e91fe },
};

static void
hash(uint64_t *state, const char *text)
{
    do {
        *state = (*state ^ (unsigned char)*text) * 0x100000001b3u;
    } while (*text++ != '\0');
}

static uint64_t
fingerprint(const fine_dataset *d)
{
    uint64_t state = 0xcbf29ce484222325u;
    char number[32];

    for (int64_t i = 0; i < fine_dataset_count(d); i++) {
        const int64_t label = fine_dataset_label(d, i);

        hash(&state, fine_dataset_text(d, i));
        if (fine_dataset_text_pair(d, i) != NULL)
            hash(&state, fine_dataset_text_pair(d, i));
        hash(&state, label >= 0 ? fine_dataset_label_name(d, label)
                                : fine__format_double(number, fine_dataset_value(d, i)));
    }
    return state;
}

static int
check(fine_context *ctx, const char *folder, const struct set *set)
{
    struct fine_dataset_options options = set->options;
    fine_dataset *d;
    char path[4096];
    int ok;

    options.struct_size = sizeof options;
    options.header = options.require_label = 1;
    snprintf(path, sizeof path, "%s/%s", folder, set->path);
    if (fine_dataset_open(&d, ctx, path, &options) < 0) {
        printf("%s\n", fine_error_message());
        return 0;
    }
    ok = fine_dataset_count(d) == set->n_rows && fine_dataset_skipped(d) == 0
         && fine_dataset_n_labels(d) == set->n_labels && fingerprint(d) == set->fingerprint;
    if (!ok)
        printf("%s: %" PRId64 " rows, %" PRId64 " labels, fingerprint %016" PRIx64 "\n", set->path,
               fine_dataset_count(d), fine_dataset_n_labels(d), fingerprint(d));
    fine_dataset_free(d);
    return ok;
}

int
main(int argc, char **argv)
{
    const int n = (int)(sizeof sets / sizeof sets[0]);
    int n_passed = 0;
    fine_context *ctx;
    char folder[3000];
    FILE *file;

    snprintf(folder, sizeof folder, "%s/../shared/data/text/banking77/train.csv",
             argc > 1 ? argv[1] : ".");
    file = fopen(folder, "rb");
    if (file == NULL) {
        printf("skipped: the text sets are not there (../shared/data/text)\n");
        return SKIPPED;
    }
    fclose(file);
    folder[strlen(folder) - strlen("/banking77/train.csv")] = '\0';
    if (fine_context_new(&ctx, NULL) < 0)
        return 1;
    for (int i = 0; i < n; i++)
        n_passed += check(ctx, folder, &sets[i]);
    printf("%d passed, %d failed\n", n_passed, n - n_passed);
    fine_context_free(ctx);
    return n_passed == n ? 0 : 1;
}
