/* Strided views, element by element, from any place in any number. */
#include "io/gather.h"
#include "runner.h"

enum { ROOM = 4096 };

static const struct {
    int64_t n_dims, shape[4], strides[4];
} views[] = {
    { 1, { 7 }, { 1 } },
    { 1, { 7 }, { 3 } },
    { 1, { 7 }, { 0 } },
    { 2, { 3, 5 }, { 5, 1 } },
    { 2, { 5, 3 }, { 1, 5 } },
    { 2, { 4, 6 }, { 0, 1 } },
    { 2, { 4, 6 }, { 2, 0 } },
    { 2, { 8, 5 }, { 2, 1 } }, /* rows overlap */
    { 3, { 4, 2, 3 }, { 1, 12, 4 } },
    { 4, { 2, 3, 4, 5 }, { 60, 1, 15, 3 } },
    { 4, { 2, 1, 1, 5 }, { 7, 99, 0, 1 } },
};

static void
check(size_t which, size_t size)
{
    const struct fine__gather view = { views[which].shape, views[which].strides,
                                       views[which].n_dims, size };
    unsigned char span[ROOM], want[ROOM], got[ROOM];
    size_t count = 1;

    for (int i = 0; i < ROOM; i++)
        span[i] = (unsigned char)(i * 31 + i / 256);
    for (int64_t k = 0; k < view.n_dims; k++)
        count *= (size_t)view.shape[k];
    for (size_t i = 0; i < count; i++) {
        size_t rest = i, at = 0;

        for (int64_t k = view.n_dims - 1; k >= 0; k--) {
            at += rest % (size_t)view.shape[k] * (size_t)view.strides[k];
            rest /= (size_t)view.shape[k];
        }
        memcpy(want + i * size, span + at * size, size);
    }
    for (size_t first = 0; first <= count; first++)
        for (size_t n = 0; first + n <= count; n++) {
            memset(got, 0xee, sizeof got);
            fine__gather(&view, span, first, n, got);
            ck_assert_mem_eq(got, want + first * size, n * size);
            ck_assert_uint_eq(got[n * size], 0xee);
        }
}

START_TEST(gives_the_elements_in_order)
{
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        for (size_t size = 1; size <= 8; size *= 2)
            check(i, size);
}
END_TEST

RUNNER("gather", gives_the_elements_in_order)
