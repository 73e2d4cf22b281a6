/* place.c — findings about a recipe begin with where they are. */
#include <stdarg.h>
#include <stdio.h>

#include "recipe/place.h"

int
fine__complain(const char *name, int64_t line, int64_t column, const char *format, ...)
{
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!name)
        return fine__also(FINE_ERECIPE, "%s", message);
    if (line == 0)
        return fine__also(FINE_ERECIPE, "%s: %s", name, message);
    return fine__also(FINE_ERECIPE, "%s:%lld:%lld: %s", name, (long long)line, (long long)column,
                      message);
}
