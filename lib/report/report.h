/*
 * report.h — what a run leaves for people to read: report.html, the model's card,
 * TensorBoard events.
 *
 * A struct fine__report_data is filled in two ways that meet: texts are set by the
 * caller, and curves and results come from the trainer's event lines, live or from
 * metrics.jsonl after a resume; the page is the same. Whatever is not known is
 * left out of the page. See docs/report.md.
 */
#ifndef FINE__REPORT_H
#define FINE__REPORT_H

#include "base/buf.h"

struct fine__json;

#define FINE__REPORT_STEPS 2000         /* curves are thinned to at most this many points */
#define FINE__REPORT_EVALUATIONS 2000
#define FINE__REPORT_METRICS 16         /* different numbers that evaluations may have */

/* `count` steps in a row, ending with `last`; the numbers are means over them. */
struct fine__report_step {
    int64_t last, count;
    double loss, learning_rate, gradient_norm, seconds;     /* NaN: not given */
};

struct fine__report_evaluation {
    int64_t step;
    bool best;
    double value[FINE__REPORT_METRICS];                     /* NaN: not given */
};

struct fine__report_data {
    fine_context *ctx;
    /* Set by the caller, borrowed, NULL where unknown. */
    const char *title;          /* the run's name: "reviews" */
    const char *task;           /* as in fine_task_options.type */
    const char *metric;         /* what best was chosen by; NULL or "loss": the task's first score */
    const char *base_model;     /* name of the folder or model it started from */
    const char *model_path;     /* where the fine-tuned model lies, for the examples */
    const char *const *labels;  /* classify, in order */
    int64_t n_labels;
    const char *data;           /* JSON {"train": fine_dataset_describe(), "validation": …, "test": …} */
    const char *facts;          /* JSON object, shown in its order: {"library version": "0.1.0", "seed": 7, …};
                                   a key that ends in "bytes" or "seconds" is shown as such */
    const char *training;       /* JSON object, the settings that matter, for the card and the facts */
    const char *notes;          /* JSON array of sentences that a reader must see */
    const char *recipe;         /* YAML as resolved */
    const char *before;         /* metrics of the model before training, as fine__metrics_write() gives them */
    /* Filled by fine__report_add_event(). */
    struct fine__report_step *steps;
    int64_t n_steps, steps_capacity, stride;
    struct fine__report_evaluation *evaluations;
    int64_t n_evaluations, evaluations_capacity;
    char *metric_names[FINE__REPORT_METRICS];
    int64_t n_metrics;
    struct fine__json *first;   /* the evaluate event of step 0, where there is one */
    struct fine__json *best;    /* the evaluate event that was best, else the last one */
    struct fine__json *done;    /* the done event */
    int64_t best_step;          /* -1: none */
    int64_t n_ignored;          /* lines that were not understood */
};

void fine__report_data_init(struct fine__report_data *data, fine_context *ctx);
void fine__report_data_free(struct fine__report_data *data);    /* what add_event made */

/*
 * One line of metrics.jsonl:
 *   {"event":"step","step":1,"loss":…,"learning_rate":…,"gradient_norm":…,"seconds":…}
 *   {"event":"evaluate","step":…,"metrics":{…},"best":true}
 *   {"event":"done","metrics":{"validation":{…},"test":{…}},"best_step":…,"seconds":…,"peak_bytes":…}
 * A result may be flat ({"n":…,"accuracy":…,"groups":{…}}) or as fine__metrics_write()
 * gives it; what is not in it is not on the page. Other events and keys are skipped. A step at or before one that was seen takes back
 * everything from there on (a run that was resumed from a checkpoint repeats steps).
 * A line that is no such JSON is counted in n_ignored: the last line of a killed run
 * may be torn. 0 or FINE_ENOMEM.
 */
int fine__report_add_event(struct fine__report_data *data, const char *json_line);
/* All lines of a file; lines over 64 MiB are ignored. Also FINE_EIO. */
int fine__report_add_events(struct fine__report_data *data, const char *path);

/* Appends the page. 0; FINE_ENOMEM; FINE_EFORMAT: a JSON text of data is malformed. */
int fine__report_html(struct fine__report_data *data, struct fine__buf *out);
/* Appends the model card (README.md of a model folder). Holds names and numbers only,
 * never a text of the data. Errors as above. */
int fine__report_card(struct fine__report_data *data, struct fine__buf *out);

/* ---- TensorBoard ---- */

struct fine__events;

/* Starts a new file events.out.tfevents.<seconds>.finetune in folder; a resumed run adds
 * a file, which TensorBoard reads as one with the earlier ones. FINE_EIO, FINE_ENOMEM. */
int fine__events_open(struct fine__events **out, fine_context *ctx, const char *folder);
/* A scalar, kept until the next flush. time: seconds since 1970. */
int fine__events_scalar(struct fine__events *events, int64_t step, double time, const char *tag,
                        double value);
/* An event line as above, at the present time: train/loss, train/learning_rate,
 * train/gradient_norm, validation/<metric>; flushes at evaluations and every 64 KiB. */
int fine__events_add(struct fine__events *events, const char *json_line);
int fine__events_flush(struct fine__events *events);
void fine__events_close(struct fine__events *events);   /* flushes; NULL is fine */

#endif
