#include "runner.h"

#include "text/byte_level.h"

/* The words of a text, with a bar between. */
static const char *
words(const char *text, bool spaced)
{
    static char out[256];
    const size_t length = strlen(text);
    size_t n = 0;

    for (size_t at = 0; at < length; spaced = false) {
        const size_t end = fine__byte_level_word(text, at, length, spaced);

        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s|", (int)(end - at), text + at);
        at = end;
    }
    return out;
}

START_TEST(the_pattern)
{
    ck_assert_str_eq(words("Hello world's 2nd day", false), "Hello| world|'s| 2|nd| day|");
    ck_assert_str_eq(words("we'll they'Re I'm 'd x't", false), "we|'ll| they|'|Re| I|'m| '|d| x|'t|");
    ck_assert_str_eq(words("a  b   \n c \t", false), "a| | b|   \n| c| \t|");
    ck_assert_str_eq(words("...!?  #$", false), "...!?| | #$|");
    ck_assert_str_eq(words("\tx\n\ny", false), "\t|x|\n|\n|y|");
    ck_assert_str_eq(words("na\u00efve\u00a0\u00bd\u3000\u6211", false),
                     "na\u00efve|\u00a0|\u00bd|\u3000|\u6211|");
    ck_assert_str_eq(words("e\u0301", false), "e|\u0301|");   /* a mark is no letter */
    ck_assert_str_eq(words("'", false), "'|");
    ck_assert_str_eq(words("'v", false), "'|v|");
}
END_TEST

START_TEST(a_space_before)
{
    ck_assert_str_eq(words("ab c", true), "ab| c|");
    ck_assert_str_eq(words("'s", true), "'|s|");    /* " '" isn't a contraction */
    ck_assert_str_eq(words("\tab", true), "|\t|ab|"); /* the space alone is a word */
    ck_assert_str_eq(words("\t", true), "\t|");
}
END_TEST

START_TEST(bytes_as_characters)
{
    bool seen[0x200] = { false };
    char out[8];

    for (int i = 0; i < 256; i++) {
        const int32_t c = fine__byte_level_char((unsigned char)i);

        ck_assert_int_lt(c, 0x200);
        ck_assert(!seen[c]);
        seen[c] = true;
        ck_assert_int_eq(fine__byte_level_byte(c), i);
    }
    for (int32_t c = 0; c < 0x200; c++)
        ck_assert_int_eq(fine__byte_level_byte(c) >= 0, seen[c]);
    ck_assert_int_eq(fine__byte_level_char(' '), 0x120);
    ck_assert_int_eq(fine__byte_level_bytes("\u0120\u00c3\u00a9", 6, out), 3);
    ck_assert(memcmp(out, " \u00e9", 3) == 0);
    ck_assert_int_eq(fine__byte_level_bytes("a b", 3, out), -1);
}
END_TEST

START_TEST(classes)
{
    ck_assert_int_eq(fine__byte_level_class('z'), FINE__CLASS_LETTER);
    ck_assert_int_eq(fine__byte_level_class('@'), FINE__CLASS_OTHER);
    ck_assert_int_eq(fine__byte_level_class('['), FINE__CLASS_OTHER);
    ck_assert_int_eq(fine__byte_level_class(0x1c), FINE__CLASS_OTHER);
    ck_assert_int_eq(fine__byte_level_class(0x85), FINE__CLASS_SPACE);
    ck_assert_int_eq(fine__byte_level_class(0xb2), FINE__CLASS_NUMBER);
    ck_assert_int_eq(fine__byte_level_class(0x1c89), FINE__CLASS_LETTER);   /* Unicode 16 */
    ck_assert_int_eq(fine__byte_level_class(0x10ffff), FINE__CLASS_OTHER);
}
END_TEST

RUNNER("byte_level", the_pattern, a_space_before, bytes_as_characters, classes)
