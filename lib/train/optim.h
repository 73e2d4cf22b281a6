/*
 * optim.h — an optimizer: a rule for one stretch of numbers, and the state it keeps.
 *
 * The state lies in blocks laid out like the gradients' (nn/param.h), so a step is one
 * loop over tiles. Rules (adamw.c, sgd.c …) know nothing of parameters, threads or rows; those
 * that need a whole tensor at once (lamb.c, adafactor.c) get one.
 */
#ifndef FINE__OPTIM_H
#define FINE__OPTIM_H

#include <math.h>
#include <stdatomic.h>

#include "models/model.h"
#include <finetune/train.h>

enum { FINE__MAX_MOMENTS = 3 };

/* A weight larger than this is as good as infinite: no step that starts below it, with
 * rates up to FINE__MAX_RATE, can leave the range of a float. */
#define FINE__MAX_WEIGHT 1e30
#define FINE__MAX_RATE 1000.0

/* What a rule needs to know in one step, in the precision it is used in. */
struct fine__step {
    fine__real scale; /* of the gradient: clipping */
    fine__real decay; /* adamw, lion: factor of the weight; else: part of it that is added */
    fine__real rate;  /* adam, adamw: bias-corrected step size */
    fine__real keep[FINE__MAX_MOMENTS], take[FINE__MAX_MOMENTS]; /* of a moment, of what is new */
    fine__real epsilon, correction; /* adam, adamw: root of the second bias correction */
    bool nesterov;
    fine__real scale_floor;         /* adafactor: of a tensor's size; 0: rates aren't scaled */
    double clip_threshold;          /* adafactor */
};

static inline fine__real
fine__sqrt(fine__real x)
{
    return sizeof x == sizeof(float) ? (fine__real)sqrtf((float)x) : (fine__real)sqrt((double)x);
}

struct fine__rule {
    const char *name;
    const char *moments[FINE__MAX_MOMENTS]; /* names in a checkpoint */
    double max_gradient;                    /* the largest norm that keeps the state finite */
    double max_moment[FINE__MAX_MOMENTS];   /* what no moment ever reaches then */
    int (*n_moments)(const fine_optimizer *optimizer);
    /* Numbers that moment m of a parameter has; NULL: as many as the parameter. */
    int64_t (*moment_count)(const fine_optimizer *optimizer, const struct fine__tensor *tensor,
                            int m);
    /* Fills in a step with number `number` (from 1); decays: whether weights decay. */
    void (*prepare)(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
                    struct fine__step *out);
    void (*apply)(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
                  fine__real *const *moment, int64_t count);
    /* The same where gradient and moments are zero; false: there is no shorter way. */
    bool (*apply_idle)(const struct fine__step *step, fine__real *weight, int64_t count);
    /* In place of both: a whole tensor in one thread. A moment without numbers is NULL. */
    void (*apply_whole)(const struct fine__step *step, const struct fine__tensor *tensor,
                        fine__real *const *moment);
};

extern const struct fine__rule fine__rule_adamw, fine__rule_sgd, fine__rule_adam,
    fine__rule_rmsprop, fine__rule_adagrad, fine__rule_adafactor, fine__rule_lion, fine__rule_lamb;

struct fine_optimizer {
    atomic_int references;
    fine_context *ctx;
    const struct fine__rule *rule;
    double learning_rate, head_learning_rate, weight_decay;
    double layer_decay; /* a stage's rate is this often the one above's; 0 counts as 1 */
    int32_t decay;                /* FINE_DECAY_… */
    double beta1, beta2, epsilon; /* adamw */
    double momentum, dampening;   /* sgd; rmsprop: momentum */
    bool nesterov;
    double alpha;                 /* rmsprop */
    bool centered;                /* rmsprop */
    bool relative_step, scale_parameter, warmup_init; /* adafactor */
    /* State: made at the first step, for one model and one set of trained parameters. */
    fine_model *model;
    uint64_t signature;
    fine__real *moment[FINE__MAX_MOMENTS];
    int64_t *places[FINE__MAX_MOMENTS]; /* where each parameter's numbers begin, and how many there
                                         * are; NULL: as its gradient in its block */
    int64_t n_steps; /* done */
};

/* apply_idle of rules whose decay goes through the gradient, and of those whose decay is a factor. */
bool fine__idle_without_decay(const struct fine__step *step, fine__real *weight, int64_t count);
bool fine__idle_decays(const struct fine__step *step, fine__real *weight, int64_t count);

int fine__optimizer_new(fine_optimizer **out, fine_context *ctx, const fine_optimizer *settings);
fine_optimizer *fine__optimizer_ref(fine_optimizer *optimizer);
void fine__optimizer_unref(fine_optimizer *optimizer);

/* State for what the model trains now (its gradients must be there); keeps what is there
 * already. FINE_ESTATE: it belongs to another model or set; FINE_ENOMEM. */
int fine__optimizer_prepare(fine_optimizer *optimizer, fine_model *model);
/* Moment m of parameter i, and how many numbers it has (0: NULL is returned). */
fine__real *fine__optimizer_moment(const fine_optimizer *optimizer, int64_t i, int m,
                                   int64_t *count_out);
/* Forgets the state. */
void fine__optimizer_reset(fine_optimizer *optimizer);

/* The rates of a step are rate and, for the head, head_rate; gradients count scale times;
 * norm is theirs before that. FINE_ENUMERIC: a weight, the state or the norm is not finite
 * or absurdly large; then nothing has changed. Allocates nothing. */
int fine__optimizer_apply(fine_optimizer *optimizer, double rate, double head_rate, double scale,
                          double norm);
/* The rate of the head that goes with a rate of the rest. */
double fine__optimizer_head_rate(const fine_optimizer *optimizer, double rate);

/* State was written from outside: finds out which rows of embeddings are seen.
 * FINE_EFORMAT where a number in it is not finite. */
int fine__optimizer_restored(fine_optimizer *optimizer, int64_t n_steps);

#endif
