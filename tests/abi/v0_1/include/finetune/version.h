/*
 * version.h — which library a program was compiled for, and which one it runs
 * with.
 */
#ifndef FINETUNE_VERSION_H
#define FINETUNE_VERSION_H

#include <finetune/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FINE_VERSION_MAJOR 0
#define FINE_VERSION_MINOR 1
#define FINE_VERSION_MICRO 0
#define FINE_VERSION_STRING "0.1.0"

/**
 * The version of the library that is running, as "0.1.0". It differs from
 * FINE_VERSION_STRING when a newer library was installed.
 *
 * @return a string that lives for ever
 * @since 0.1
 */
FINE_API const char *fine_version(void);

#ifdef __cplusplus
}
#endif
#endif
