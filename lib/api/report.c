/*
 * report.c — the border of report.h: argument checks, nothing else.
 */
#include "base/result.h"

void
fine_report_free(fine_report *report)
{
    fine__report_free(report);
}

const char *
fine_report_json(const fine_report *report)
{
    if (report == NULL) {
        fine__fail(FINE_EINVAL, "fine_report_json: report is NULL");
        return NULL;
    }
    return fine__report_json(report);
}

int
fine_report_number(const fine_report *report, const char *path, double *out)
{
    if (report == NULL || path == NULL || out == NULL)
        return fine__fail(FINE_EINVAL, "fine_report_number: %s is NULL",
                          report == NULL ? "report" : path == NULL ? "path" : "out");
    return fine__report_number(report, path, out);
}
