/*
 * place.h — findings about a recipe: "file:line:column: message".
 */
#ifndef FINE__PLACE_H
#define FINE__PLACE_H

#include "base/error.h"

/* Adds a finding and returns FINE_ERECIPE. name NULL: no place is put before it; line 0:
 * the file alone. */
int fine__complain(const char *name, int64_t line, int64_t column, const char *format, ...)
    FINE__PRINTF(4, 5);

#endif
