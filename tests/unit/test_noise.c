/* test_noise.c — dropped words and masked tokens: shares, what stays, and the same for a key. */
#include "runner.h"

#include <math.h>

#include "train/noise.h"

enum { SPECIAL = 2, WORDS = 40, N = 200 };

/* Ids 0 and 1 are special, even ones begin a word, odd ones continue it. */
static uint8_t kinds[SPECIAL + WORDS];
static struct fine__noise noise;

static void
set_up(double mask, double drop)
{
    for (int i = 0; i < SPECIAL + WORDS; i++)
        kinds[i] = i < SPECIAL ? FINE__NOISE_SPECIAL
                   : i % 2 == 0 ? FINE__NOISE_BEGINS : FINE__NOISE_CONTINUES;
    noise = (struct fine__noise){ .mask = mask, .drop = drop, .mask_id = 1,
                                  .n_ids = SPECIAL + WORDS, .kinds = kinds };
}

static void
make_row(int32_t ids[N], int32_t types[N])
{
    for (int i = 0; i < N; i++) {
        ids[i] = i == 0 || i == N - 1 ? 0 : SPECIAL + (i - 1) % WORDS;
        types[i] = i >= N / 2;
    }
}

START_TEST(drops_whole_words)
{
    int32_t ids[N], types[N], again[N], more[N];
    int64_t total = 0;

    set_up(0, 0.25);
    for (uint64_t key = 0; key < 200; key++) {
        make_row(ids, types);
        const int64_t n = fine__noise_apply(&noise, key, ids, types, N);

        total += n - 2;
        ck_assert(n >= 4 && ids[0] == 0 && ids[n - 1] == 0);
        for (int64_t i = 1; i < n - 1; i += 2)
            ck_assert(ids[i] % 2 == 0 && ids[i + 1] == ids[i] + 1);
        make_row(again, more);
        ck_assert_int_eq(fine__noise_apply(&noise, key, again, NULL, N), n);
        ck_assert_mem_eq(ids, again, (size_t)n * sizeof *ids);
    }
    ck_assert_double_eq_tol((double)total / (200.0 * (N - 2)), 0.75, 0.02);
}
END_TEST

START_TEST(masks_tokens)
{
    int32_t ids[N], types[N];
    int64_t n_masked = 0;

    set_up(0.1, 0);
    for (uint64_t key = 0; key < 200; key++) {
        make_row(ids, types);
        ck_assert_int_eq(fine__noise_apply(&noise, key, ids, types, N), N);
        ck_assert(ids[0] == 0 && ids[N - 1] == 0);
        for (int i = 1; i < N - 1; i++)
            n_masked += ids[i] == 1;
    }
    ck_assert_double_eq_tol((double)n_masked / (200.0 * (N - 2)), 0.1, 0.01);
}
END_TEST

START_TEST(one_word_stays)
{
    static const int32_t row[] = { 0, 4, 5, 6, 0 };

    set_up(0, 0.99);
    for (uint64_t key = 0; key < 500; key++) {
        int32_t ids[5];

        memcpy(ids, row, sizeof row);
        const int64_t n = fine__noise_apply(&noise, key, ids, NULL, 5);

        ck_assert(n >= 3 && ids[0] == 0 && ids[n - 1] == 0 && ids[1] >= 4);
    }
}
END_TEST

RUNNER("noise", drops_whole_words, masks_tokens, one_word_stays)
