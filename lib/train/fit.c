/*
 * fit.c — the whole loop, on the public functions alone.
 *
 * Nothing here that a program could not write itself: whoever needs another loop copies
 * this file.
 */
#include <finetune.h>

/* What the last step left to do. */
static int
settle(fine_trainer *trainer)
{
    const int due = fine_trainer_due(trainer);
    int rc = FINE_OK;

    if (due & 1 << FINE_EVENT_EVALUATE)
        rc = fine_trainer_evaluate(trainer, NULL);
    /* An evaluation may have been the last: then a checkpoint is due. */
    if (rc >= 0 && (fine_trainer_due(trainer) & 1 << FINE_EVENT_CHECKPOINT))
        rc = fine_trainer_checkpoint(trainer);
    return rc;
}

/* A run that is stopped can go on later. */
static int
stop(fine_trainer *trainer)
{
    if (fine_trainer_due(trainer) & 1 << FINE_EVENT_CHECKPOINT) {
        const int rc = fine_trainer_checkpoint(trainer);

        if (rc < 0)
            return rc;
    }
    return FINE_ECANCELLED;
}

int
fine_trainer_fit(fine_trainer *trainer, fine_report **out)
{
    int rc;

    do {
        rc = settle(trainer); /* first: a resumed run may owe an evaluation */
        if (rc >= 0)
            rc = fine_trainer_step(trainer);
    } while (rc > 0);
    if (rc == FINE_ECANCELLED)
        return stop(trainer);
    if (rc < 0)
        return rc;
    return fine_trainer_finish(trainer, out);
}
