/*
 * sample.c — choosing the next id: the likeliest, or one drawn by its probability.
 *
 * Logits are divided by the temperature; of the top_k likeliest those are kept that together
 * have top_p of the probability, the one that reaches it included (Holtzman et al., arXiv
 * 1904.09751), at least one. A heap gives them in order, so that no more are sorted than are
 * kept. All in double, in one order: the same seed gives the same text.
 */
#include "models/sample.h"

#include <math.h>

static int64_t
likeliest(const fine__real *logits, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(logits[i]))
            return -1;
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

/* Whether a comes before b: the likelier one, of equals the first. */
static bool
before(const struct fine__choice *a, const struct fine__choice *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void
sink(struct fine__choice *heap, int64_t root, int64_t n)
{
    const struct fine__choice item = heap[root];

    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &item))
            break;
        heap[root] = heap[child];
    }
    heap[root] = item;
}

/* Moves the first of n choices behind the others. */
static void
take_first(struct fine__choice *heap, int64_t n)
{
    const struct fine__choice first = heap[0];

    heap[0] = heap[n - 1];
    heap[n - 1] = first;
    sink(heap, 0, n - 1);
}

static double
mass(const struct fine__choice *choices, int64_t n, double largest)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += exp(choices[i].logit - largest);
    return sum;
}

/* The likeliest `most` to the end of the list, the first one last. */
static void
order(struct fine__choice *choices, int64_t n, int64_t most)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(choices, i, n);
    for (int64_t i = 0; i < most; i++)
        take_first(choices, n - i);
}

int64_t
fine__sample(const struct fine__sampling *how, const fine__real *logits, int64_t n,
             double uniform, struct fine__choice *scratch)
{
    const int64_t best = likeliest(logits, n);
    int64_t most = how->top_k > 0 && how->top_k < n ? how->top_k : n, kept = 0;

    if (best < 0 || how->temperature <= 0 || most == 1)
        return best;
    const double largest = (double)logits[best] / how->temperature;

    for (int64_t i = 0; i < n; i++)
        scratch[i] = (struct fine__choice){ (double)logits[i] / how->temperature, i };
    if (most == n && how->top_p >= 1) {
        double left = uniform * mass(scratch, n, largest);

        for (int64_t i = 0; i < n; i++)
            if ((left -= exp(scratch[i].logit - largest)) < 0)
                return i;
        return best;
    }
    double total;

    if (most < n) {
        order(scratch, n, most);
        total = mass(scratch + n - most, most, largest);
    } else {
        total = mass(scratch, n, largest);
        order(scratch, n, 0);
    }
    double sum = 0;

    while (kept < most && (kept == 0 || sum < how->top_p * total)) {
        if (most == n)
            take_first(scratch, n - kept);
        kept++;
        sum += exp(scratch[n - kept].logit - largest);
    }
    double left = uniform * sum;

    for (int64_t i = 1; i <= kept; i++)
        if ((left -= exp(scratch[n - i].logit - largest)) < 0)
            return scratch[n - i].id;
    return scratch[n - 1].id;
}
