/*
 * facts.c — the page's plain part: data, facts and the recipe, as tables.
 *
 * Objects come from other parts of the library and are shown as they are, in their
 * order; what a key ends in ("bytes", "seconds") says how its number is read.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/page.h"

#define LABELS_SHOWN 30

static bool
ends_in(const char *key, const char *ending)
{
    const size_t n = strlen(key), m = strlen(ending);

    return n >= m && strcmp(key + n - m, ending) == 0;
}

void
fine__fact_key(struct fine__buf *out, const char *key)
{
    static const struct { const char *key, *title; } known[] = {
        { "peak_bytes", "Peak memory" }, { "seconds", "Wall time" }, { "blis", "BLIS" },
        { "blis_arch", "BLIS architecture" }, { "n_threads", "Threads" },
    };

    for (int64_t i = 0; i < FINE__COUNT(known); i++)
        if (strcmp(known[i].key, key) == 0) {
            fine__buf_text(out, known[i].title);
            return;
        }
    for (const char *c = key; *c != '\0'; c++)
        fine__buf_byte(out, *c == '_' ? ' ' : c == key && *c >= 'a' && *c <= 'z'
                                                ? (char)(*c - 'a' + 'A') : *c);
}

/* Counts are read by their commas; a seed is typed in again. */
static void
put_integer(struct fine__buf *out, const char *key, int64_t value)
{
    if (ends_in(key, "seed"))
        fine__buf_printf(out, "%" PRId64, value);
    else
        fine__put_count(out, value);
}

/* A value without members. */
static void
put_scalar(struct fine__buf *out, const char *key, const struct fine__json *value)
{
    const double number = fine__json_double(value, NAN);
    const char *text;

    switch (fine__json_type(value)) {
    case FINE__JSON_NULL:
        fine__buf_text(out, "–");
        break;
    case FINE__JSON_BOOL:
        fine__buf_text(out, fine__json_bool(value, false) ? "yes" : "no");
        break;
    case FINE__JSON_STRING:
        text = fine__json_string(value, NULL);
        fine__buf_text(out, text[0] != '\0' ? text : "–");
        break;
    case FINE__JSON_INTEGER:
    case FINE__JSON_REAL:
        if (ends_in(key, "bytes"))
            fine__put_bytes(out, number);
        else if (ends_in(key, "seconds"))
            fine__put_seconds(out, number);
        else if (fine__json_type(value) == FINE__JSON_INTEGER)
            put_integer(out, key, fine__json_int(value, 0));
        else
            fine__buf_number(out, number);
        break;
    case FINE__JSON_ARRAY:
    case FINE__JSON_OBJECT:
        if (fine__json_write(value, out) < 0)
            out->failed = true;
        break;
    }
}

void
fine__fact_value(struct fine__buf *out, const char *key, const struct fine__json *value)
{
    const int64_t n = fine__json_count(value);
    bool any = false;

    if (fine__json_type(value) == FINE__JSON_ARRAY) {
        for (int64_t i = 0; i < n; i++) {
            fine__buf_text(out, i > 0 ? ", " : "");
            put_scalar(out, key, fine__json_at(value, i));
        }
        if (n == 0)
            fine__buf_text(out, "none");
    } else if (fine__json_type(value) == FINE__JSON_OBJECT) {
        for (void *it = fine__json_first(value); it != NULL; it = fine__json_next(value, it)) {
            fine__buf_text(out, any ? ", " : "");
            fine__buf_text(out, fine__json_key(it));
            fine__buf_text(out, " ");
            put_scalar(out, fine__json_key(it), fine__json_value(it));
            any = true;
        }
    } else {
        put_scalar(out, key, value);
    }
}

/* Writes with `put` into a text of its own, and that escaped. */
static void
put_escaped(struct fine__buf *out, const char *key, const struct fine__json *value)
{
    struct fine__buf text;

    fine__buf_init(&text, out->ctx);
    if (value != NULL)
        fine__fact_value(&text, key, value);
    else
        fine__fact_key(&text, key);
    if (fine__buf_status(&text) < 0)
        out->failed = true;
    fine__html_text(out, fine__buf_cstr(&text));
    fine__buf_free(&text);
}

/* ---- data ---- */

/* Keys that are shown by themselves, or say nothing to a reader. */
static bool
is_plain(const char *key, const struct fine__json *value)
{
    return strcmp(key, "labels") != 0 && fine__json_type(value) != FINE__JSON_NULL;
}

static void
put_property(struct fine__buf *out, const struct fine__json *sets, const char *key,
             const char *inner)
{
    fine__buf_text(out, "<tr><th scope=\"row\">");
    put_escaped(out, key, NULL);
    if (inner != NULL) {
        fine__buf_text(out, ", ");
        fine__html_text(out, inner);
    }
    fine__buf_text(out, "</th>");
    for (void *it = fine__json_first(sets); it != NULL; it = fine__json_next(sets, it)) {
        const struct fine__json *value = fine__json_get(fine__json_value(it), key);

        if (inner != NULL)
            value = fine__json_get(value, inner);
        fine__buf_text(out, "<td>");
        if (value != NULL)
            put_escaped(out, inner != NULL ? inner : key, value);
        fine__buf_text(out, "</td>");
    }
    fine__buf_text(out, "</tr>\n");
}

static void
put_head(struct fine__buf *out, const struct fine__json *sets, const char *first, const char *css)
{
    fine__buf_printf(out, "<thead><tr><th>%s</th>", first);
    for (void *it = fine__json_first(sets); it != NULL; it = fine__json_next(sets, it)) {
        fine__buf_printf(out, "<th%s>", css);
        put_escaped(out, fine__json_key(it), NULL);
        fine__buf_text(out, "</th>");
    }
    fine__buf_text(out, "</tr></thead>");
}

/* How many rows of a set have a label; labels: {name: count}, or [{"name", "count"}]. */
static int64_t
label_count(const struct fine__json *labels, const char *name)
{
    const int64_t n = fine__json_count(labels);

    if (fine__json_type(labels) == FINE__JSON_OBJECT)
        return fine__json_int(fine__json_get(labels, name), 0);
    for (int64_t i = 0; i < n; i++) {
        const struct fine__json *one = fine__json_at(labels, i);
        const char *its = fine__json_string(fine__json_get(one, "name"), NULL);

        if (its != NULL && strcmp(its, name) == 0)
            return fine__json_int(fine__json_get(one, "count"), 0);
    }
    return 0;
}

static void
put_label_row(struct fine__buf *out, const struct fine__json *sets, const char *name)
{
    bool first = true;

    fine__buf_text(out, "<tr><th scope=\"row\">");
    fine__html_text(out, name);
    fine__buf_text(out, "</th>");
    for (void *it = fine__json_first(sets); it != NULL; it = fine__json_next(sets, it)) {
        const struct fine__json *set = fine__json_value(it);
        const int64_t count = label_count(fine__json_get(set, "labels"), name),
                      rows = fine__json_int(fine__json_get(set, "rows"), 0);

        if (first && rows > 0) {
            fine__buf_text(out, "<td class=\"wide\"><span class=\"bar\"><i style=\"width:");
            fine__put_fixed(out, 100 * (double)count / (double)rows, 1);
            fine__buf_text(out, "%\"></i></span></td>");
        } else if (first) {
            fine__buf_text(out, "<td></td>");
        }
        first = false;
        fine__buf_text(out, "<td class=\"num\">");
        fine__put_count(out, count);
        fine__buf_text(out, "</td>");
    }
    fine__buf_text(out, "</tr>\n");
}

static void
put_labels(struct fine__buf *out, const struct fine__json *sets, const struct fine__json *labels)
{
    const int64_t n = fine__json_count(labels);

    if (n == 0)
        return;
    fine__buf_text(out, n > LABELS_SHOWN ? "<details><summary>Rows of each label</summary>" : "");
    fine__buf_text(out, "<div class=\"scroll\"><table class=\"list bars\">");
    put_head(out, sets, "Label</th><th>", " class=\"num\"");
    fine__buf_text(out, "<tbody>\n");
    if (fine__json_type(labels) == FINE__JSON_OBJECT) {
        for (void *it = fine__json_first(labels); it != NULL; it = fine__json_next(labels, it))
            put_label_row(out, sets, fine__json_key(it));
    } else {
        for (int64_t i = 0; i < n; i++) {
            const char *name =
                fine__json_string(fine__json_get(fine__json_at(labels, i), "name"), NULL);

            if (name != NULL)
                put_label_row(out, sets, name);
        }
    }
    fine__buf_text(out, "</tbody></table></div>\n");
    fine__buf_text(out, n > LABELS_SHOWN ? "</details>\n" : "");
}

void
fine__page_data(struct fine__buf *out, const struct fine__json *sets)
{
    const struct fine__json *first;

    if (fine__json_type(sets) != FINE__JSON_OBJECT || fine__json_count(sets) == 0)
        return;
    first = fine__json_value(fine__json_first(sets));
    fine__buf_text(out, "<section id=\"data\"><h2>Data</h2>\n<div class=\"pair\">"
                        "<div class=\"scroll\"><table class=\"list\">");
    put_head(out, sets, "", "");
    fine__buf_text(out, "<tbody>\n");
    for (void *it = fine__json_first(first); it != NULL; it = fine__json_next(first, it)) {
        const struct fine__json *value = fine__json_value(it);
        const char *key = fine__json_key(it);

        if (!is_plain(key, value))
            continue;
        if (fine__json_type(value) != FINE__JSON_OBJECT) {
            put_property(out, sets, key, NULL);
            continue;
        }
        for (void *in = fine__json_first(value); in != NULL; in = fine__json_next(value, in))
            put_property(out, sets, key, fine__json_key(in));
    }
    fine__buf_text(out, "</tbody></table></div>\n");
    put_labels(out, sets, fine__json_get(first, "labels"));
    fine__buf_text(out, "</div></section>\n");
}

/* ---- facts and recipe ---- */

void
fine__page_facts(struct fine__buf *out, const char *title, const struct fine__json *facts)
{
    if (fine__json_type(facts) != FINE__JSON_OBJECT || fine__json_count(facts) == 0)
        return;
    fine__buf_text(out, "<section class=\"facts\"><h2>");
    fine__html_text(out, title);
    fine__buf_text(out, "</h2><dl>\n");
    for (void *it = fine__json_first(facts); it != NULL; it = fine__json_next(facts, it)) {
        fine__buf_text(out, "<div><dt>");
        put_escaped(out, fine__json_key(it), NULL);
        fine__buf_text(out, "</dt><dd>");
        put_escaped(out, fine__json_key(it), fine__json_value(it));
        fine__buf_text(out, "</dd></div>\n");
    }
    fine__buf_text(out, "</dl></section>\n");
}

/* The length of "  key:" at the start of a line, 0 where there is none. */
static size_t
key_length(const char *line)
{
    size_t n = strspn(line, " -");
    const size_t word = strspn(line + n, "abcdefghijklmnopqrstuvwxyz0123456789_");

    n += word;
    return word > 0 && line[n] == ':' ? n : 0;
}

void
fine__page_recipe(struct fine__buf *out, const char *recipe)
{
    if (recipe == NULL || recipe[0] == '\0')
        return;
    fine__buf_text(out, "<section id=\"recipe\"><h2>Recipe</h2><p class=\"lead\">As it ran, with "
                        "every default spelled out.</p><pre>");
    while (*recipe != '\0') {
        const size_t key = key_length(recipe), rest = strcspn(recipe + key, "\n");

        if (key > 0) {
            fine__buf_text(out, "<b>");
            fine__html_text_n(out, recipe, key);
            fine__buf_text(out, "</b>");
        }
        fine__html_text_n(out, recipe + key, rest);
        fine__buf_byte(out, '\n');
        recipe += key + rest;
        recipe += *recipe == '\n';
    }
    fine__buf_text(out, "</pre></section>\n");
}
