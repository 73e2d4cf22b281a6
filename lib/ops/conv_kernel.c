/* conv_kernel.c — see conv_kernel.h; the loops themselves are in conv_lanes.h. */
#include "ops/conv_kernel.h"

#include <string.h>

#include "tensor/vec.h"

#define PIXELS FINE__CONV_PIXELS
#define COLUMNS(bytes, vectors) ((vectors) * (bytes) / (int)sizeof(fine__real))

#if !defined FINE__DOUBLE && FINE__X86_TARGETS
#define NAME(x) x##_avx512
#define TARGET FINE__TARGET_AVX512
#define BYTES 64
#define VECTORS 2
#include "ops/conv_lanes.h"

#define NAME(x) x##_avx512_narrow
#define TARGET FINE__TARGET_AVX512
#define BYTES 64
#define VECTORS 1
#include "ops/conv_lanes.h"

#define NAME(x) x##_avx2
#define TARGET FINE__TARGET_AVX2
#define BYTES 32
#define VECTORS 1
#include "ops/conv_lanes.h"
#endif

#define NAME(x) x##_any
#define TARGET
#define BYTES 16
#define VECTORS 1
#include "ops/conv_lanes.h"

#define KERNEL(name, bytes, vectors) { COLUMNS(bytes, vectors), pixels_##name, weights_##name }

const struct fine__conv_kernels *
fine__conv_kernels_at(int i)
{
    static const struct fine__conv_kernels any = { KERNEL(any, 16, 1), KERNEL(any, 16, 1) };

#if !defined FINE__DOUBLE && FINE__X86_TARGETS
    static const struct fine__conv_kernels avx512 = { KERNEL(avx512, 64, 2),
                                                      KERNEL(avx512_narrow, 64, 1) };
    static const struct fine__conv_kernels avx2 = { KERNEL(avx2, 32, 1), KERNEL(avx2, 32, 1) };

    if (FINE__HAS_AVX512 && i-- == 0)
        return &avx512;
    if (FINE__HAS_AVX2 && i-- == 0)
        return &avx2;
#endif
    return i == 0 ? &any : NULL;
}

const struct fine__conv_kernels *
fine__conv_kernels(void)
{
    return fine__conv_kernels_at(0);
}
