/* gradcheck.c — the driver; see gradcheck.h. */
#include "gradcheck.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/gemm.h"

static const double step = 1e-5, tolerance = 1e-7;

static fine_context *context;
static uint64_t n_random;
static int n_passed, n_failed;

static double
random_number(void)
{
    return fine__rng_normal(7, n_random++);
}

struct fine__tensor *
gc_input(int n_dims, ...)
{
    struct fine__tensor *x = calloc(1, sizeof *x);
    va_list sizes;

    x->n_dims = n_dims;
    x->count = 1;
    va_start(sizes, n_dims);
    for (int i = 0; i < n_dims; i++) {
        x->shape[i] = va_arg(sizes, int);
        x->count *= x->shape[i];
    }
    va_end(sizes);
    x->wants_grad = x->is_param = true;
    x->data = malloc((size_t)x->count * sizeof *x->data);
    x->grad = calloc((size_t)x->count, sizeof *x->grad);
    for (int64_t i = 0; i < x->count; i++)
        x->data[i] = random_number();
    return x;
}

struct run {
    const char *name;
    gc_build build;
    const void *arg;
    int n_in;
    struct fine__tensor *in[FINE__MAX_IN];
    double *cotangent;
    struct fine__tape tape;
};

/* Σ cotangent · out, and the gradients when asked for. */
static double
evaluate(struct run *run, bool backward)
{
    double sum = 0;

    fine__tape_reset(&run->tape, backward, 99);
    struct fine__tensor *out = run->build(&run->tape, run->in, run->arg);

    if (run->cotangent == NULL) {
        run->cotangent = malloc((size_t)out->count * sizeof(double));
        for (int64_t i = 0; i < out->count; i++)
            run->cotangent[i] = random_number();
    }
    for (int64_t i = 0; i < out->count; i++)
        sum += run->cotangent[i] * out->data[i];
    if (backward && out->wants_grad) {
        double beta;
        fine__real *grad = fine__grad(&run->tape, out, &beta);

        memcpy(grad, run->cotangent, (size_t)out->count * sizeof *grad);
        /* the loop of fine__backward() without its seed */
        grad[0] -= 1;
        fine__backward(&run->tape, out, 1);
    }
    return sum;
}

static void
verdict(const struct run *run, const char *what, int input, bool good)
{
    n_passed += good;
    n_failed += !good;
    if (!good)
        printf("%s: %s, input %d of shape %lld x %lld\n", run->name, what, input,
               (long long)run->in[input]->shape[0], (long long)run->in[input]->shape[1]);
}

static double
by_differences(struct run *run, struct fine__tensor *x, int64_t i)
{
    const double before = x->data[i];

    x->data[i] = before + step;
    const double above = evaluate(run, false);

    x->data[i] = before - step;
    const double below = evaluate(run, false);

    x->data[i] = before;
    return (above - below) / (2 * step);
}

static void
check_inputs(struct run *run, double start)
{
    for (int k = 0; k < run->n_in; k++)
        for (int64_t i = 0; i < run->in[k]->count; i++)
            run->in[k]->grad[i] = start;
    evaluate(run, true);
    for (int k = 0; k < run->n_in; k++) {
        struct fine__tensor *x = run->in[k];
        double worst = 0, largest = 1;
        const int64_t stride = 1 + x->count / 400;

        for (int64_t i = 0; i < x->count; i += stride) {
            const double want = by_differences(run, x, i), got = x->grad[i] - start;

            worst = fmax(worst, fabs(want - got));
            largest = fmax(largest, fabs(want));
        }
        verdict(run, "gradient differs from central differences", k, worst / largest < tolerance);
    }
}

static void
check_frozen(struct run *run)
{
    for (int frozen = 0; frozen < run->n_in; frozen++) {
        struct fine__tensor *x = run->in[frozen];
        fine__real *before = x->grad;

        x->wants_grad = false;
        x->grad = NULL;
        for (int k = 0; k < run->n_in; k++)
            if (k != frozen)
                memset(run->in[k]->grad, 0, (size_t)run->in[k]->count * sizeof(fine__real));
        evaluate(run, true);
        verdict(run, "a frozen input got a gradient", frozen, x->grad == NULL);
        verdict(run, "the tape failed with a frozen input", frozen,
                fine__tape_status(&run->tape) == 0);
        if (run->n_in == 1)
            verdict(run, "something was recorded for nothing", frozen, run->tape.n_nodes == 0);
        for (int k = 0; k < run->n_in; k++)
            if (k != frozen)
                verdict(run, "gradient with another input frozen", k,
                        fabs(by_differences(run, run->in[k], 0) - run->in[k]->grad[0]) <
                            1e-6 * (1 + fabs((double)run->in[k]->grad[0])));
        x->grad = before;
        x->wants_grad = true;
    }
}

void
gc_check(const char *name, gc_build build, const void *arg, int n_in, ...)
{
    struct run run = { .name = name, .build = build, .arg = arg, .n_in = n_in };
    va_list inputs;

    va_start(inputs, n_in);
    for (int k = 0; k < n_in; k++)
        run.in[k] = va_arg(inputs, struct fine__tensor *);
    va_end(inputs);
    fine__tape_init(&run.tape, context);
    check_inputs(&run, 0);
    check_inputs(&run, 2.5);
    check_frozen(&run);
    fine__tape_free(&run.tape);
    free(run.cotangent);
    for (int k = 0; k < n_in; k++) {
        free(run.in[k]->data);
        free(run.in[k]->grad);
        free(run.in[k]);
    }
}

void
gc_value(gc_build build, const void *arg, double x, double expected)
{
    struct run run = { .name = "value", .build = build, .arg = arg, .n_in = 1 };

    run.in[0] = gc_input(1, 1);
    run.in[0]->data[0] = x;
    fine__tape_init(&run.tape, context);
    fine__tape_reset(&run.tape, false, 99);
    const double got = build(&run.tape, run.in, arg)->data[0];

    verdict(&run, "known value", 0, fabs(got - expected) < 1e-12);
    fine__tape_free(&run.tape);
    free(run.in[0]->data);
    free(run.in[0]->grad);
    free(run.in[0]);
}

int
main(void)
{
    struct fine_context_options options;

    fine__context_defaults(&options);
    options.n_threads = 2;
    if (fine__context_new(&context, &options) < 0 || fine__gemm_open(context) < 0)
        return 1;
    gc_cases();
    fine__context_unref(context);
    printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed == 0 ? 0 : 1;
}
