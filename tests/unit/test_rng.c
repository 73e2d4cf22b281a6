#include "runner.h"

#include <math.h>

#include "base/rng.h"

START_TEST(known_values)
{
    static const uint64_t expected[] = { 6457827717110365317u, 3203168211198807973u,
                                         9817491932198370423u, 4593380528125082431u,
                                         16408922859458223821u };

    for (uint64_t i = 0; i < 5; i++)
        ck_assert(fine__rng_u64(1234567, i) == expected[i]);
    ck_assert(fine__rng_u64(0, 0) == 0xe220a8397b1dcdafu);
}
END_TEST

START_TEST(keys_differ)
{
    uint64_t keys[2 * 4 * 8 * 8];
    size_t n = 0;

    for (int64_t seed = -1; seed < 1; seed++)
        for (int purpose = 1; purpose < 5; purpose++)
            for (int64_t a = 0; a < 8; a++)
                for (int64_t b = 0; b < 8; b++)
                    keys[n++] = fine__rng_key(seed, (enum fine__purpose)purpose, a, b);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert(keys[i] != keys[k]);
}
END_TEST

START_TEST(distributions)
{
    const int64_t n = 200000;
    double sum = 0, squares = 0, normals = 0, normal_squares = 0;
    int64_t counts[7] = { 0 };

    for (int64_t i = 0; i < n; i++) {
        const double u = fine__rng_uniform(42, (uint64_t)i), z = fine__rng_normal(43, (uint64_t)i);
        const int64_t k = fine__rng_below(44, (uint64_t)i, 7);

        ck_assert(u >= 0 && u < 1 && isfinite(z));
        ck_assert(k >= 0 && k < 7);
        sum += u;
        squares += u * u;
        normals += z;
        normal_squares += z * z;
        counts[k]++;
    }
    ck_assert_double_eq_tol(sum / (double)n, 0.5, 0.004);
    ck_assert_double_eq_tol(squares / (double)n, 1.0 / 3, 0.004);
    ck_assert_double_eq_tol(normals / (double)n, 0, 0.012);
    ck_assert_double_eq_tol(normal_squares / (double)n, 1, 0.016);
    for (int k = 0; k < 7; k++)
        ck_assert_double_eq_tol((double)counts[k] / (double)n, 1.0 / 7, 0.004);
    ck_assert_int_eq(fine__rng_below(1, 2, 1), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        const int64_t k = fine__rng_below(45, i, INT64_MAX);

        ck_assert(k >= 0 && k < INT64_MAX);
    }
}
END_TEST

START_TEST(shuffles_are_fair_permutations)
{
    int64_t counts[6] = { 0 }, values[100];
    bool seen[100] = { false };

    for (int64_t i = 0; i < 100; i++)
        values[i] = i;
    fine__rng_shuffle(7, values, 100);
    for (int64_t i = 0; i < 100; i++) {
        ck_assert(!seen[values[i]]);
        seen[values[i]] = true;
    }
    for (uint64_t key = 0; key < 60000; key++) {
        int64_t three[3] = { 0, 1, 2 };

        fine__rng_shuffle(fine__rng_mix(key), three, 3);
        counts[2 * three[0] + (three[1] > three[2])]++;
    }
    for (int i = 0; i < 6; i++)
        ck_assert_int_lt(llabs(counts[i] - 10000), 400);
    fine__rng_shuffle(1, values, 0);
    fine__rng_shuffle(1, values, 1);
}
END_TEST

RUNNER("rng", known_values, keys_differ, distributions, shuffles_are_fair_permutations)
