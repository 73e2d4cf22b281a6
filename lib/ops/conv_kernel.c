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

const struct fine__conv_kernels *
fine__conv_kernels(void)
{
    static const struct fine__conv_kernels any = {
        { COLUMNS(16, 1), pixels_any, weights_any }, { COLUMNS(16, 1), pixels_any, weights_any }
    };

#if !defined FINE__DOUBLE && FINE__X86_TARGETS
    static const struct fine__conv_kernels avx512 = {
        { COLUMNS(64, 2), pixels_avx512, weights_avx512 },
        { COLUMNS(64, 1), pixels_avx512_narrow, weights_avx512_narrow }
    };
    static const struct fine__conv_kernels avx2 = {
        { COLUMNS(32, 1), pixels_avx2, weights_avx2 }, { COLUMNS(32, 1), pixels_avx2, weights_avx2 }
    };

    if (FINE__HAS_AVX512)
        return &avx512;
    if (FINE__HAS_AVX2)
        return &avx2;
#endif
    return &any;
}
