/*
 * report.h — what was measured: a JSON object behind a handle.
 */
#ifndef FINETUNE_REPORT_H
#define FINETUNE_REPORT_H

#include <finetune/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_report fine_report;

/** NULL is fine. @since 0.1 */
FINE_API void fine_report_free(fine_report *report);

/** The whole report as one JSON object on one line. Borrowed. @since 0.1 */
FINE_API const char *fine_report_json(const fine_report *report);

/**
 * A number by its path: "metrics.accuracy", "metrics.test.macro_f1".
 *
 * @return FINE_OK; FINE_EINVAL: NULL, or no number there (out untouched)
 * @since 0.1
 */
FINE_API int fine_report_number(const fine_report *report, const char *path, double *out);

#ifdef __cplusplus
}
#endif
#endif
