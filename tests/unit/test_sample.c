/* test_sample.c — sample.c: the likeliest, and shares of what is drawn. */
#include <math.h>

#include "runner.h"

#include "models/sample.h"

enum { N = 6, DRAWS = 20000 };

static const fine__real logits[N] = { 1, 3, 0, 3, 2, -1 };

/* How often each is drawn, over uniform numbers that are evenly spread. */
static void
count(const struct fine__sampling *how, int out[N])
{
    struct fine__choice scratch[N];

    memset(out, 0, N * sizeof *out);
    for (int i = 0; i < DRAWS; i++) {
        const int64_t id = fine__sample(how, logits, N, (i + 0.5) / DRAWS, scratch);

        ck_assert(id >= 0 && id < N);
        out[id]++;
    }
}

static void
check_shares(const struct fine__sampling *how, int64_t kept_mask)
{
    double sum = 0;
    int n[N];

    count(how, n);
    for (int i = 0; i < N; i++)
        if (kept_mask >> i & 1)
            sum += exp((double)logits[i] / how->temperature);
    for (int i = 0; i < N; i++) {
        const double share = kept_mask >> i & 1 ? exp((double)logits[i] / how->temperature) / sum
                                                : 0;

        ck_assert_msg(fabs(n[i] - share * DRAWS) < 1.5, "%d of %g", n[i], share * DRAWS);
    }
}

START_TEST(the_likeliest)
{
    static const struct fine__sampling greedy = { 0, 0, 1 }, one = { 1, 1, 1 };
    int n[N];

    count(&greedy, n);
    ck_assert_int_eq(n[1], DRAWS);      /* the first of equals */
    count(&one, n);
    ck_assert_int_eq(n[1], DRAWS);
}
END_TEST

START_TEST(shares)
{
    check_shares(&(struct fine__sampling){ 1, 0, 1 }, 63);
    check_shares(&(struct fine__sampling){ 0.5, 0, 1 }, 63);
    check_shares(&(struct fine__sampling){ 2, 100, 1 }, 63);
    check_shares(&(struct fine__sampling){ 1, 3, 1 }, 2 | 8 | 16);
    check_shares(&(struct fine__sampling){ 1, 2, 1 }, 2 | 8);
    /* of 1: 0.371, 3: 0.371, 4: 0.136, 0: 0.05, 2: 0.018 */
    check_shares(&(struct fine__sampling){ 1, 0, 0.3 }, 2);
    check_shares(&(struct fine__sampling){ 1, 0, 0.5 }, 2 | 8);
    check_shares(&(struct fine__sampling){ 1, 0, 0.8 }, 2 | 8 | 16);
    /* top_p is of what top_k has left: 1 and 3 are all of it */
    check_shares(&(struct fine__sampling){ 1, 2, 0.5 }, 2);
    check_shares(&(struct fine__sampling){ 1, 2, 0.6 }, 2 | 8);
    check_shares(&(struct fine__sampling){ 1, 0, 1e-9 }, 2);
}
END_TEST

START_TEST(what_is_not_finite)
{
    static const struct fine__sampling how = { 1, 0, 1 };
    const fine__real bad[3] = { 0, (fine__real)NAN, 1 }, worse[2] = { (fine__real)INFINITY, 0 };
    struct fine__choice scratch[3];

    ck_assert_int_eq(fine__sample(&how, bad, 3, 0.5, scratch), -1);
    ck_assert_int_eq(fine__sample(&how, worse, 2, 0.5, scratch), -1);
}
END_TEST

RUNNER("sample", the_likeliest, shares, what_is_not_finite)
