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

/* Takes the text over (json is empty afterwards) and parses it. */
int fine__report_new(fine_report **out, fine_context *ctx, struct fine__buf *json);
const struct fine__json *fine__report_root(const fine_report *report);
int fine__report_number(const fine_report *report, const char *path, double *out);

#endif
