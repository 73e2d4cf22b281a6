/*
 * image_folder.c — a folder of pictures: each folder in it is a class.
 *
 * As torchvision's ImageFolder has it: ROOT/cat/1.jpg is a row of class "cat". One level of
 * folders, in the order of their names; what begins with a dot is none of ours, and what is no
 * picture by its name is counted. Pictures that lie in ROOT itself have no label.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "data/dataset.h"

struct reading {
    fine_dataset *d;
    const char *root;
    int64_t n_others;               /* files that are no pictures */
};

static bool
is_picture(const char *name)
{
    static const char *const suffixes[] = { ".jpg", ".jpeg", ".png" };

    for (int i = 0; i < FINE__COUNT(suffixes); i++)
        if (fine__path_has_suffix(name, suffixes[i]))
            return true;
    return false;
}

static int
add_row(struct reading *r, const char *folder, const char *name, int64_t label)
{
    fine_dataset *d = r->d;
    struct fine__row row = fine__row_empty();

    row.text = (int64_t)d->bytes.length;
    row.label = label;
    if (folder != NULL) {
        fine__buf_text(&d->bytes, folder);
        fine__buf_byte(&d->bytes, '/');
    }
    fine__buf_text(&d->bytes, name);
    row.text_length = (int32_t)((int64_t)d->bytes.length - row.text);
    fine__buf_byte(&d->bytes, '\0');
    FINE__TRY(fine__buf_status(&d->bytes));
    FINE__TRY(fine__grow(d->ctx, &d->rows, &d->capacity, d->n_rows + 1, sizeof *d->rows));
    d->rows[d->n_rows++] = row;
    return 0;
}

/* The pictures of one folder; its name is a new label only where there are any. */
static int
read_class(struct reading *r, const char *name, const char *path)
{
    fine_dataset *d = r->d;
    struct fine__names files;
    int64_t label = -1;
    int rc = fine__list_directory(d->ctx, path, &files);

    if (rc < 0)
        return rc;
    for (int64_t i = 0; i < files.count && rc == 0; i++) {
        if (files.names[i][0] == '.')
            continue;
        if (!is_picture(files.names[i])) {
            r->n_others++;
            continue;
        }
        if (label < 0)
            label = fine__dataset_label_id(d, name, strlen(name));
        if (label == FINE_ENOMEM)
            rc = FINE_ENOMEM;
        else if (label < 0)
            rc = fine__fail(FINE_EDATA, "%s: the folder '%s' is none of the %lld labels in "
                            "task.labels", r->root, name, (long long)d->n_labels);
        else
            rc = add_row(r, name, files.names[i], label);
    }
    fine__names_free(d->ctx, &files);
    return rc;
}

static int
read_entry(struct reading *r, const char *name)
{
    char *path = fine__path_join(r->d->ctx, r->root, name);
    int rc = 0;

    if (path == NULL)
        return FINE_ENOMEM;
    if (fine__is_directory(r->d->ctx, path))
        rc = read_class(r, name, path);
    else if (!is_picture(name))
        r->n_others++;
    else
        rc = add_row(r, NULL, name, -1);
    fine__free(r->d->ctx, path);
    return rc;
}

static int
check(const struct reading *r)
{
    const fine_dataset *d = r->d;
    int64_t n_unlabelled = 0;

    for (int64_t i = 0; i < d->n_rows; i++)
        n_unlabelled += d->rows[i].label < 0;
    if (d->n_rows == 0)
        return fine__fail(FINE_EDATA, "%s: there is no picture (.jpg, .jpeg or .png); each class "
                          "is a folder of pictures in it", r->root);
    if (d->require_label && n_unlabelled > 0)
        return fine__fail(FINE_EDATA, "%s: %lld pictures lie in no class's folder; move them to "
                          "one that is named as their label", r->root, (long long)n_unlabelled);
    if (r->n_others > 0)
        fine__log(d->ctx, FINE_LOG_WARNING, "%s: %lld files are no pictures by their names (.jpg, "
                  ".jpeg, .png)", r->root, (long long)r->n_others);
    return 0;
}

static int
read_all(struct reading *r, const struct fine_dataset_options *o)
{
    fine_dataset *d = r->d;
    struct fine__names names;
    const bool skip = o->on_bad_row != NULL && strcmp(o->on_bad_row, "skip") == 0;

    d->content = FINE__ROWS_OF_IMAGES;
    d->require_label = o->require_label != 0;
    d->folder = fine__strdup(d->ctx, r->root);
    if (d->folder == NULL)
        return FINE_ENOMEM;
    if (o->n_labels > 0)
        FINE__TRY(fine__dataset_give_labels(d, o->labels, o->n_labels));
    FINE__TRY(fine__list_directory(d->ctx, r->root, &names));
    int rc = 0;

    for (int64_t i = 0; i < names.count && rc == 0; i++)
        if (names.names[i][0] != '.')
            rc = read_entry(r, names.names[i]);
    fine__names_free(d->ctx, &names);
    if (rc == 0)
        rc = check(r);
    if (rc == 0)
        rc = fine__dataset_settle_labels(d);
    d->has_labels = d->n_labels > 0;
    return rc < 0 ? rc : fine__dataset_check_pictures(d, skip);
}

int
fine__image_folder_read(fine_dataset **out, fine_context *ctx, const char *path,
                        const struct fine_dataset_options *options)
{
    struct reading r = { .d = fine__dataset_make(ctx, path), .root = path };

    if (r.d == NULL)
        return FINE_ENOMEM;
    const int rc = read_all(&r, options);

    if (rc < 0) {
        fine__dataset_unref(r.d);
        return rc;
    }
    *out = r.d;
    fine__dataset_warn(*out);
    return 0;
}
