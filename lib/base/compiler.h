/*
 * compiler.h — the only place for compiler extensions.
 *
 * Everything here has a plain C11 fallback, so that the library builds with a
 * compiler that knows none of it.
 */
#ifndef FINE__COMPILER_H
#define FINE__COMPILER_H

#if defined __GNUC__ || defined __clang__
#define FINE__PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#define FINE__INLINE static inline __attribute__((always_inline))
#define FINE__RESTRICT __restrict__
#define FINE__UNUSED __attribute__((unused))
#else
#define FINE__PRINTF(text, first)
#define FINE__INLINE static inline
#define FINE__RESTRICT
#define FINE__UNUSED
#endif

/*
 * A function marked FINE__CLONES is compiled once for each of these levels of the x86-64
 * psABI and the loader picks by what the processor can do (a name of a processor would be
 * compared with its maker's). It must be an ordinary loop that the compiler
 * vectorises; it must not call another clone in its inner loop. clang refuses to pass
 * vectors to functions that it is about to inline into a clone, so there is one copy then.
 */
#if defined FINE__CPU_CLONES && defined __x86_64__ && defined __linux__ && !defined __clang__
#define FINE__CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FINE__CLONES
#endif

/* Tells the processor that this is a waiting loop. */
#if (defined __GNUC__ || defined __clang__) && (defined __x86_64__ || defined __i386__)
#define FINE__PAUSE() __builtin_ia32_pause()
#elif (defined __GNUC__ || defined __clang__) && defined __aarch64__
#define FINE__PAUSE() __asm__ volatile("yield")
#else
#define FINE__PAUSE() ((void)0)
#endif

/* AddressSanitizer is told which parts of an arena are in use. */
#if defined __SANITIZE_ADDRESS__
#define FINE__ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define FINE__ASAN 1
#endif
#endif
#if defined FINE__ASAN
#include <sanitizer/asan_interface.h>
#define FINE__POISON(start, bytes) ASAN_POISON_MEMORY_REGION(start, bytes)
#define FINE__UNPOISON(start, bytes) ASAN_UNPOISON_MEMORY_REGION(start, bytes)
#else
#define FINE__POISON(start, bytes) ((void)(start), (void)(bytes))
#define FINE__UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#endif

/* For a function that is called only after the processor was asked for these. */
#if defined __GNUC__ && defined __x86_64__
#if defined __clang__
#define FINE__TARGET_AVX512 __attribute__((target("avx512f,avx512dq,fma")))
#else
#define FINE__TARGET_AVX512 \
    __attribute__((target("avx512f,avx512dq,fma,prefer-vector-width=512")))
#endif
#define FINE__TARGET_AVX2 __attribute__((target("avx2,fma")))
#define FINE__HAS_AVX512 (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
#define FINE__HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define FINE__X86_TARGETS 1
#else
#define FINE__TARGET_AVX512
#define FINE__TARGET_AVX2
#define FINE__HAS_AVX512 0
#define FINE__HAS_AVX2 0
#define FINE__X86_TARGETS 0
#endif

/* A loop whose body the compiler shall copy out, so that an array in it becomes
 * registers. */
#if defined __clang__
#define FINE__UNROLL _Pragma("clang loop unroll(full)")
#elif defined __GNUC__
#define FINE__UNROLL _Pragma("GCC unroll 32")
#else
#define FINE__UNROLL
#endif

#define FINE__COUNT(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

#endif
