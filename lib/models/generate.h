/*
 * generate.h — texts that go on, a token at a time.
 */
#ifndef FINE__GENERATE_H
#define FINE__GENERATE_H

#include "models/model.h"
#include "models/sample.h"

enum { FINE__TOGETHER = 8 };        /* texts that go on at once: each weight is read for all */

enum fine__ending { FINE__STILL_GOING, FINE__ENDED_ENOUGH, FINE__ENDED_TEXT, FINE__ENDED_FULL,
                    FINE__ENDED_STOPPED };

/* One text. ids are those that came after the prompt. */
struct fine__continued {
    const int32_t *prompt;
    int64_t n_prompt;
    int64_t number;                 /* for the random stream: texts don't depend on their company */
    int32_t *ids;
    int64_t count, capacity;
    enum fine__ending ending;
};

struct fine__generating {
    struct fine__sampling sampling;
    int64_t max_tokens, seed;
    bool ignore_end;                /* the end-of-text id is one like any other */
    /* Told of each new id; true: this text shall end. May be NULL. */
    bool (*told)(struct fine__continued *text, void *user, int *rc);
    void *user;
};

/* Goes on with up to FINE__TOGETHER texts. FINE_EDATA, FINE_ENUMERIC, FINE_ENOMEM. */
int fine__generate(fine_model *model, struct fine__runner *runner,
                   const struct fine__generating *how, struct fine__continued *texts, int64_t n);

#endif
