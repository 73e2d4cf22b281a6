/*
 * session.h — what the files of a session share: session.c predicts and scores, fill.c fills
 * masks, generate.c goes on with texts.
 */
#ifndef FINE__SESSION_H
#define FINE__SESSION_H

#include "models/model.h"
#include "text/tokenizer.h"

struct fine__session_parts {
    fine_model *model;
    struct fine__runner *runner;
    struct fine__tokens *tokens;
};

void fine__session_parts(fine_session *session, struct fine__session_parts *out);
/* One thread at a time: FINE_EBUSY. */
int fine__session_enter(fine_session *session, const char *function);
void fine__session_leave(fine_session *session);

/* ---- fill.c ---- */

struct fine__fill {
    int64_t id, text;               /* text: offset in texts */
    double score;
};

/* Of n texts: text i has masks [mask_of[i], mask_of[i + 1]), mask m candidates [first_of[m],
 * first_of[m + 1]). */
struct fine__fills {
    int64_t n, n_masks, n_fills, mask_capacity, fill_capacity;
    int64_t *mask_of, *first_of;
    struct fine__fill *list;
    struct fine__buf texts;
};

int fine__fill_texts(const struct fine__session_parts *parts, const char *const *texts, int64_t n,
                     struct fine__fills *out);
void fine__fills_free(fine_context *ctx, struct fine__fills *fills);
/* Of the last predict(). */
const struct fine__fills *fine__session_fills(const fine_session *session);

/* ---- generate.c ---- */

struct fine__generated;

void fine__generated_free(fine_context *ctx, struct fine__generated *generated);  /* NULL is fine */
/* Where a session keeps the last generate()'s. */
struct fine__generated **fine__session_generated(fine_session *session);

#endif
