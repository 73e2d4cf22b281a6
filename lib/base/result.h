/*
 * result.h — fine_report: a JSON object behind a handle.
 *
 * It lives at the bottom because everything that measures gives one back.
 */
#ifndef FINE__RESULT_H
#define FINE__RESULT_H

#include "base/buf.h"
#include <finetune/report.h>

struct fine__json;

/* Takes the text over (json is empty afterwards) and parses it; on error json is as
 * it was. The text is one JSON object; a text of several lines becomes one line.
 * Errors: FINE_EFORMAT, FINE_ENOMEM (also what json failed with while it was written). */
int fine__report_new(fine_report **out, fine_context *ctx, struct fine__buf *json);
void fine__report_free(fine_report *report);                /* NULL is fine */
const char *fine__report_json(const fine_report *report);
const struct fine__json *fine__report_root(const fine_report *report);

/* A number by its path: keys joined by dots, an array's elements by index
 * ("history.0.loss"). A key may hold dots itself ("groups.amazon.com.accuracy"): the
 * longest key that is there is taken at each step. 0, or FINE_EINVAL with a finding
 * that says how far the path led. */
int fine__report_number(const fine_report *report, const char *path, double *out);

#endif
