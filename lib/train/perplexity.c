/*
 * perplexity.c — e^(mean loss over targets): among how many equally likely tokens the model
 * would be as unsure.
 */
#include "train/perplexity.h"

#include <math.h>

static const char *const names[] = { "loss", "perplexity", NULL };

static void
numbers(void *state, double mean_loss, struct fine__scores *out)
{
    (void)state;
    /* Beyond e^700 there is no number, and nothing to tell. */
    out->value[0] = exp(fmin(mean_loss, 700));
    out->defined[0] = true;
}

const struct fine__measure fine__perplexity = { .names = names, .by_loss = true,
                                                .numbers = numbers };
