/*
 * groups.c — for whom the model is right: one row a group, the largest first.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/page.h"

#define GROUPS_SHOWN 200
#define GROUPS_READ 2000        /* metrics.h keeps no more than half of that apart */

/* Numbers but the count; micro F1 only where accuracy does not say the same. */
static bool
is_column(const struct fine__json *group, const char *key)
{
    return !isnan(fine__json_double(fine__json_get(group, key), NAN)) && strcmp(key, "n") != 0
           && (strcmp(key, "micro_f1") != 0 || fine__json_get(group, "accuracy") == NULL);
}

struct group {
    const char *name;
    const struct fine__json *numbers;
    int64_t rows;
};

/* Largest first; in their own order where equal. */
static void
sort_groups(struct group *groups, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {       /* n is 1,000 at most */
        const struct group one = groups[i];
        int64_t j = i;

        for (; j > 0 && groups[j - 1].rows < one.rows; j--)
            groups[j] = groups[j - 1];
        groups[j] = one;
    }
}

static void
put_group(struct fine__buf *out, const struct group *group, const struct fine__json *columns)
{
    fine__buf_text(out, "<tr><td>");
    fine__html_text(out, group->name);
    fine__buf_text(out, "</td><td class=\"num\">");
    fine__put_count(out, group->rows);
    fine__buf_text(out, "</td>");
    for (void *it = fine__json_first(columns); it != NULL; it = fine__json_next(columns, it)) {
        const char *key = fine__json_key(it);

        if (!is_column(columns, key))
            continue;
        fine__buf_text(out, "<td class=\"num\">");
        if (fine__is_degenerate(group->numbers, key))
            fine__buf_text(out, "–");
        else
            fine__put_metric(out, key, fine__json_double(fine__json_get(group->numbers, key),
                                                         NAN));
        fine__buf_text(out, "</td>");
    }
    fine__buf_text(out, "</tr>\n");
}

static void
put_group_table(struct fine__buf *out, const struct group *groups, int64_t n,
                const struct fine__json *columns)
{
    const int64_t shown = n < GROUPS_SHOWN ? n : GROUPS_SHOWN;

    fine__buf_text(out, "<section id=\"groups\"><h2>Group by group</h2><div class=\"scroll\">"
                        "<table class=\"list\"><thead><tr><th>Group</th>"
                        "<th class=\"num\">Rows</th>");
    for (void *it = fine__json_first(columns); it != NULL; it = fine__json_next(columns, it)) {
        if (!is_column(columns, fine__json_key(it)))
            continue;
        fine__buf_text(out, "<th class=\"num\">");
        fine__html_text(out, fine__metric_title(fine__json_key(it)));
        fine__buf_text(out, "</th>");
    }
    fine__buf_text(out, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < shown; i++)
        put_group(out, &groups[i], columns);
    fine__buf_text(out, "</tbody></table></div>\n");
    if (n > shown) {
        fine__buf_text(out, "<p class=\"lead\">");
        fine__put_count(out, n - shown);
        fine__buf_text(out, " smaller groups stand in metrics.jsonl.</p>\n");
    }
    fine__buf_text(out, "</section>\n");
}

void
fine__page_groups(struct fine__buf *out, fine_context *ctx, const struct fine__json *result)
{
    const struct fine__json *all = fine__json_get(result, "groups");
    struct group *groups;
    int64_t n = 0;

    if (fine__json_count(all) == 0 || fine__json_type(all) != FINE__JSON_OBJECT)
        return;
    groups = fine__alloc_array(ctx, GROUPS_READ, sizeof *groups);
    if (groups == NULL) {
        out->failed = true;
        return;
    }
    for (void *it = fine__json_first(all); it != NULL && n < GROUPS_READ;
         it = fine__json_next(all, it)) {
        const struct fine__json *numbers = fine__json_value(it);

        groups[n++] = (struct group){ fine__json_key(it), numbers,
                                      fine__count_of(fine__json_get(numbers, "n")) };
    }
    sort_groups(groups, n);
    put_group_table(out, groups, n, fine__json_value(fine__json_first(all)));
    fine__free(ctx, groups);
}
