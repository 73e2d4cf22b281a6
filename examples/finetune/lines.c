/*
 * lines.c — lines of a file or of standard input, as many at a time as are there. A
 * pipe that brings a line now and then gets its answer now; a file comes in blocks that
 * keep every thread busy.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 16, MAX_LINE = 1 << 24 };

int
cli_lines_open(struct cli_lines *lines, const char *path)
{
    memset(lines, 0, sizeof *lines);
    if (!path || strcmp(path, "-") == 0) {
        lines->name = "standard input";
        lines->fd = STDIN_FILENO;
        return CLI_DONE;
    }
    lines->name = path;
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0)
        return cli_complain(CLI_INPUT, "%s: %s", path, strerror(errno));
    return CLI_DONE;
}

void
cli_lines_close(struct cli_lines *lines)
{
    if (lines->fd > STDIN_FILENO)
        close(lines->fd);
    free(lines->bytes);
    memset(lines, 0, sizeof *lines);
}

/* Reads a piece more behind what is there. */
static int
fill(struct cli_lines *lines)
{
    ssize_t got;

    if (lines->capacity - lines->size < PIECE + 1) {
        size_t capacity = 2 * lines->capacity + PIECE + 1;
        char *bytes = realloc(lines->bytes, capacity);

        if (!bytes)
            return cli_no_memory();
        lines->bytes = bytes;
        lines->capacity = capacity;
    }
    do
        got = read(lines->fd, lines->bytes + lines->size, PIECE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return cli_complain(CLI_INPUT, "%s: %s", lines->name, strerror(errno));
    if (got == 0)
        lines->at_end = 1;
    lines->size += (size_t)got;
    return CLI_DONE;
}

static int
more_is_there(const struct cli_lines *lines)
{
    struct pollfd p = { .fd = lines->fd, .events = POLLIN };

    return !lines->at_end && poll(&p, 1, 0) > 0;
}

static struct cli_line
cut(char *text, size_t length)
{
    if (length > 0 && text[length - 1] == '\r')
        length--;
    text[length] = '\0';
    return (struct cli_line){ .text = text, .length = length };
}

int
cli_lines_next(struct cli_lines *lines, struct cli_line *out, int64_t n_max, int64_t *n_out)
{
    size_t at = 0, searched = 0;
    int64_t n = 0;
    int rc;

    *n_out = 0;
    if (lines->start > 0) {
        memmove(lines->bytes, lines->bytes + lines->start, lines->size - lines->start);
        lines->size -= lines->start;
        lines->start = 0;
    }
    /* Until the block is full, or a line is there and nothing more waits. Lines are only
     * counted here: the buffer may still move. */
    while (n < n_max) {
        char *end = searched < lines->size
                        ? memchr(lines->bytes + searched, '\n', lines->size - searched)
                        : NULL;

        if (end) {
            searched = at = (size_t)(end - lines->bytes) + 1;
            n++;
            continue;
        }
        searched = lines->size;
        if (lines->size - at > MAX_LINE)
            return cli_complain(CLI_INPUT, "%s:%lld: a line of more than 16 MiB; is this text?",
                                lines->name, (long long)(lines->n_read + n + 1));
        if (lines->at_end || (n > 0 && !more_is_there(lines)))
            break;
        if ((rc = fill(lines)) != CLI_DONE)
            return rc;
    }
    if (n < n_max && lines->at_end && at < lines->size) {
        lines->bytes[lines->size++] = '\n'; /* the last line had no end */
        n++;
    }
    at = lines->n_read == 0 && lines->size >= 3 && memcmp(lines->bytes, "\xef\xbb\xbf", 3) == 0 ? 3
                                                                                                : 0;
    for (int64_t i = 0; i < n; i++) {
        char *end = memchr(lines->bytes + at, '\n', lines->size - at);

        out[i] = cut(lines->bytes + at, (size_t)(end - lines->bytes) - at);
        at = (size_t)(end - lines->bytes) + 1;
    }
    lines->start = n > 0 ? at : 0;
    lines->n_read += n;
    *n_out = n;
    return CLI_DONE;
}
