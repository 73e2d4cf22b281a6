/*
 * options.h — how an options struct crosses the border.
 *
 * Caller and library may have been compiled with different lengths of the same
 * struct, since fields are only ever appended. struct_size tells the caller's.
 */
#ifndef FINE__OPTIONS_H
#define FINE__OPTIONS_H

#include <stddef.h>
#include <string.h>

#include <finetune/status.h>

/* What no struct of ours will ever exceed. */
enum { FINE__OPTIONS_MAX = 4096 };

/*
 * Copies what both sides know into local, which holds the defaults; a missing
 * tail keeps them. v1_size is the struct's size when it was first released.
 * 0; FINE_EINVAL: struct_size is too small or absurd; FINE_EABI: fields that this
 * library doesn't know are in use. The caller writes the message.
 */
static inline int
options_in(void *local, size_t local_size, const void *user, size_t v1_size)
{
    const unsigned char *bytes = user;
    size_t user_size;

    memcpy(&user_size, user, sizeof user_size);
    if (user_size < v1_size || user_size > FINE__OPTIONS_MAX)
        return FINE_EINVAL;
    for (size_t i = local_size; i < user_size; i++)
        if (bytes[i] != 0)
            return FINE_EABI;
    memcpy((unsigned char *)local + sizeof user_size, bytes + sizeof user_size,
           (user_size < local_size ? user_size : local_size) - sizeof user_size);
    return FINE_OK;
}

/* The other direction, for the …_init() functions: the part of the defaults that
 * the caller knows, zeros beyond what the library knows. */
static inline void
options_out(void *user, size_t user_size, const void *local, size_t local_size)
{
    if (user == NULL || user_size < sizeof user_size || user_size > FINE__OPTIONS_MAX)
        return;
    memset(user, 0, user_size);
    memcpy(user, local, user_size < local_size ? user_size : local_size);
    memcpy(user, &user_size, sizeof user_size);
}

#endif
