/* foreign.h — what a file really is that was given as weights and isn't safetensors. */
#ifndef FINE__FOREIGN_H
#define FINE__FOREIGN_H

#include <stddef.h>

enum { FINE__FOREIGN_BYTES = 64 }; /* that many first bytes are enough */

/* "a Git LFS pointer; run …": kind and remedy; NULL: nothing that is known. */
const char *fine__foreign_kind(const void *bytes, size_t length);

#endif
