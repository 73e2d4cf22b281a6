/*
 * feed.c — bytes of a file in order, for a reader that doesn't know yet how many it wants.
 *
 * What is asked for lies in one piece in the window, which grows only to a text's length, and
 * that only where the file has so many bytes.
 */
#include <string.h>

#include "base/alloc.h"
#include "io/pickle.h"

enum { WINDOW = 1 << 16 };

void
fine__feed_init(struct fine__feed *feed, struct fine__blob *blob, int64_t from, int64_t end)
{
    *feed = (struct fine__feed){ .blob = blob, .at = from, .end = end };
}

void
fine__feed_free(struct fine__feed *feed, fine_context *ctx)
{
    fine__free(ctx, feed->window);
    feed->window = NULL;
    feed->capacity = feed->begin = feed->filled = 0;
}

int64_t
fine__feed_place(const struct fine__feed *feed)
{
    return feed->at - (int64_t)(feed->filled - feed->begin);
}

int
fine__feed_take(struct fine__feed *feed, fine_context *ctx, size_t n, const unsigned char **out)
{
    size_t have = feed->filled - feed->begin;

    if (have < n) {
        const uint64_t left = (uint64_t)(feed->end - feed->at);
        size_t more;

        if ((uint64_t)(n - have) > left)
            return fine__fail(FINE_EFORMAT,
                              "%s: truncated: the pickle ends within an opcode at byte %lld: "
                              "download or save it again",
                              feed->blob->name, (long long)fine__feed_place(feed));
        if (feed->capacity < n || feed->capacity == 0) {
            const size_t capacity = n < WINDOW ? WINDOW : n;
            unsigned char *window = fine__realloc(ctx, feed->window, capacity);

            if (window == NULL)
                return FINE_ENOMEM;
            feed->window = window;
            feed->capacity = capacity;
        }
        memmove(feed->window, feed->window + feed->begin, have);
        feed->begin = 0;
        feed->filled = have;
        more = feed->capacity - have;
        if (more > left)
            more = (size_t)left;
        FINE__TRY(fine__blob_read_at(feed->blob, feed->window + have, more, feed->at));
        feed->filled += more;
        feed->at += (int64_t)more;
    }
    *out = feed->window + feed->begin;
    feed->begin += n;
    return 0;
}
