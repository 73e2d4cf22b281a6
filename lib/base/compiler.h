/*
 * compiler.h — the only place for compiler extensions.
 *
 * Everything here has a plain C11 fallback, so that the library builds with a
 * compiler that knows none of it.
 */
#ifndef FINE__COMPILER_H
#define FINE__COMPILER_H

#if defined __GNUC__ || defined __clang__
#define FINE__PRINTF(at, first) __attribute__((format(printf, at, first)))
#define FINE__INLINE static inline __attribute__((always_inline))
#define FINE__RESTRICT __restrict__
#define FINE__UNUSED __attribute__((unused))
#else
#define FINE__PRINTF(at, first)
#define FINE__INLINE static inline
#define FINE__RESTRICT
#define FINE__UNUSED
#endif

/*
 * A function marked FINE__CLONES is compiled once for each of these processors
 * and the loader picks one. It must be an ordinary loop that the compiler
 * vectorises; it must not call another clone in its inner loop.
 */
#if defined FINE__CPU_CLONES && defined __x86_64__ && defined __linux__
#define FINE__CLONES \
    __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define FINE__CLONES
#endif

#define FINE__COUNT(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

#endif
