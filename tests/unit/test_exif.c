/* Which way up; and Exif data that lie. */
#include "image/codecs.h"
#include "runner.h"

/* On the heap, so that a sanitizer sees a byte read too many. */
static int
orientation(const char *bytes, size_t n)
{
    unsigned char *copy = malloc(n > 0 ? n : 1);
    int way;

    memcpy(copy, bytes, n);
    way = fine__exif_orientation(copy, n);
    free(copy);
    return way;
}

#define HEAD "II*\0\10\0\0\0"
#define OTHER "\17\1\2\0\4\0\0\0abc\0"

START_TEST(finds_it)
{
    static const char little[] = HEAD "\2\0" OTHER "\22\1\3\0\1\0\0\0\6\0\0\0";
    static const char big[] = "MM\0*\0\0\0\12??\0\1\1\22\0\3\0\0\0\1\0\10\0\0";
    static const char as_long[] = HEAD "\1\0\22\1\4\0\1\0\0\0\3\0\0\0";

    ck_assert_int_eq(orientation(little, sizeof little - 1), 6);
    ck_assert_int_eq(orientation(big, sizeof big - 1), 8);
    ck_assert_int_eq(orientation(as_long, sizeof as_long - 1), 3);
    for (size_t n = 0; n < sizeof little - 1; n++)
        ck_assert_int_eq(orientation(little, n), 1);
}
END_TEST

#define BYTES(text) \
    { \
        text, sizeof(text) - 1 \
    }

START_TEST(lies_are_no_orientation)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        BYTES(""),
        BYTES("II*\0"),
        BYTES("IM*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0"),
        BYTES("II+\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0"),        /* another version */
        BYTES("II*\0\377\377\377\377\1\0\22\1\3\0\1\0\0\0\6\0\0\0"), /* far away */
        BYTES("II*\0\7\0\0\0"),
        BYTES(HEAD "\377\377"), /* more than there are */
        BYTES(HEAD "\377\377" OTHER),
        BYTES(HEAD "\0\0\22\1\3\0\1\0\0\0\6\0\0\0"),
        BYTES(HEAD "\1\0\22\1\3\0\1\0\0\0\0\0\0\0"),  /* 0 */
        BYTES(HEAD "\1\0\22\1\3\0\1\0\0\0\11\0\0\0"), /* 9 */
        BYTES(HEAD "\1\0\22\1\3\0\2\0\0\0\6\0\0\0"),  /* two of them */
        BYTES(HEAD "\1\0\22\1\2\0\1\0\0\0\6\0\0\0"),  /* a text */
        BYTES(HEAD "\1\0\22\1\4\0\1\0\0\0\6\0\0\1"),
    };

    for (int64_t i = 0; i < FINE__COUNT(cases); i++)
        ck_assert_msg(orientation(cases[i].bytes, cases[i].n) == 1, "case %lld", (long long)i);
}
END_TEST

RUNNER("exif", finds_it, lies_are_no_orientation)
