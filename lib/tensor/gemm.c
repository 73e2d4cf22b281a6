/*
 * gemm.c — the only file that includes blis.h.
 *
 * BLIS does the packing and blocking, always with one thread (an rntm_t of our own in
 * each call), so it starts no OpenMP team and survives fork(). Dimensions are checked by
 * callers: BLIS aborts on what it doesn't like.
 *
 * BLIS 0.9 doesn't recognise processors made after it (AMD's family 26, for one) and then
 * falls back to portable kernels, at a sixth of the speed. It lets a caller bring a kernel
 * of its own (docs/KernelsHowTo.md), so that is what happens there: a context of our own
 * with one micro-kernel for AVX-512. It is used only where BLIS itself says that its kernel
 * is the reference one, and only with the very version whose struct we were compiled for.
 */
#include "tensor/gemm.h"

#include <string.h>

/* blis.h isn't clean under our warnings. */
#if defined __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include <blis.h>
#if defined __GNUC__
#pragma GCC diagnostic pop
#endif

#include "base/parallel.h"

/* What is kept in fine_context.blas. */
struct blas {
    cntx_t kernels;
    bool own;
    char name[64];
};

/* A macro of 0.9's header that later versions lack. */
#if defined BLIS_NUM_PACKM_KERS && !defined FINE__DOUBLE && defined __x86_64__ && defined __GNUC__

enum { MR = 24, NR = 16, MC = 240, KC = 384, NC = 3072 };

typedef float lane16 __attribute__((vector_size(64)));
typedef float lane16_unaligned __attribute__((vector_size(64), aligned(4), may_alias));

/* One MR x NR block of C from packed panels of A and B; interface: BLIS's gemm
 * micro-kernel, with m <= MR and n <= NR at the edges. */
FINE__TARGET_AVX512
static void
kernel_avx512(dim_t m, dim_t n, dim_t k, float *alpha, float *a, float *b, float *beta, float *c,
              inc_t row_stride, inc_t column_stride, auxinfo_t *info, cntx_t *kernels)
{
    lane16 sum[MR];

    (void)info;
    (void)kernels;
    FINE__UNROLL
    for (int i = 0; i < MR; i++)
        sum[i] = (lane16){ 0 };
    for (dim_t p = 0; p < k; p++) {
        const lane16 row = *(const lane16_unaligned *)b;

        FINE__UNROLL
        for (int i = 0; i < MR; i++)
            sum[i] += row * a[i];
        a += MR;
        b += NR;
    }
    const bool whole = m == MR && n == NR && column_stride == 1;

    if (whole && *beta == 0) {
        FINE__UNROLL
        for (int i = 0; i < MR; i++)
            *(lane16_unaligned *)(c + i * row_stride) = sum[i] * *alpha;
        return;
    }
    if (whole) {
        FINE__UNROLL
        for (int i = 0; i < MR; i++) {
            lane16_unaligned *at = (lane16_unaligned *)(c + i * row_stride);

            *at = sum[i] * *alpha + *at * *beta;
        }
        return;
    }
    float edge[MR][NR];

    FINE__UNROLL
    for (int i = 0; i < MR; i++)
        *(lane16_unaligned *)edge[i] = sum[i] * *alpha;
    for (dim_t i = 0; i < m; i++)
        for (dim_t j = 0; j < n; j++) {
            float *at = c + i * row_stride + j * column_stride;

            *at = *beta == 0 ? edge[i][j] : edge[i][j] + *beta * *at;
        }
}

static void
own_kernels(struct blas *blas)
{
    blksz_t size[5];

    if (strcmp(bli_info_get_version_str(), "0.9.0") != 0 || !FINE__HAS_AVX512 ||
        bli_gks_l3_ukr_impl_type(BLIS_GEMM_UKR, BLIS_NAT, BLIS_FLOAT) != BLIS_REFERENCE_UKERNEL)
        return;
    bli_gks_init_ref_cntx(&blas->kernels);
    bli_cntx_set_l3_nat_ukrs(1, BLIS_GEMM_UKR, BLIS_FLOAT, kernel_avx512, TRUE, &blas->kernels);
    bli_blksz_init_easy(&size[0], NC, 0, 0, 0);
    bli_blksz_init_easy(&size[1], KC, 0, 0, 0);
    bli_blksz_init_easy(&size[2], MC, 0, 0, 0);
    bli_blksz_init_easy(&size[3], NR, 0, 0, 0);
    bli_blksz_init_easy(&size[4], MR, 0, 0, 0);
    bli_cntx_set_blkszs(BLIS_NAT, 5, BLIS_NC, &size[0], BLIS_NR, BLIS_KC, &size[1], BLIS_KR,
                        BLIS_MC, &size[2], BLIS_MR, BLIS_NR, &size[3], BLIS_NR, BLIS_MR, &size[4],
                        BLIS_MR, &blas->kernels);
    blas->own = true;
    strcat(blas->name, " (own kernel: avx512)");
}

#else

static void
own_kernels(struct blas *blas)
{
    (void)blas;
}

#endif

int
fine__gemm_open(fine_context *ctx)
{
    /* A part of the context, and like it outside the account of what handles hold. */
    struct blas *blas = ctx->options.allocate(sizeof *blas, ctx->options.allocator_user);

    if (blas == NULL)
        return fine__fail(FINE_ENOMEM, "out of memory: no %zu bytes for a context", sizeof *blas);
    memset(blas, 0, sizeof *blas);
    bli_init();
    strncpy(blas->name, bli_arch_string(bli_arch_query_id()), 31);
    own_kernels(blas);
    ctx->blas = blas;
    return 0;
}

const char *
fine__gemm_name(const fine_context *ctx)
{
    const struct blas *blas = ctx->blas;

    return blas != NULL ? blas->name : "unknown";
}

void
fine__gemm_one(fine_context *ctx, int64_t m, int64_t n, int64_t k, struct fine__matrix a,
               struct fine__matrix b, double beta, fine__real *c, int64_t ldc)
{
    struct blas *blas = ctx->blas;
    cntx_t *kernels = blas != NULL && blas->own ? &blas->kernels : NULL;
    fine__real one = 1, beta_real = (fine__real)beta;
    fine__real *a_data, *b_data;
    rntm_t one_thread;

    if (m <= 0 || n <= 0)
        return;
    /* BLIS's prototypes lack const. */
    memcpy(&a_data, &a.data, sizeof a_data);
    memcpy(&b_data, &b.data, sizeof b_data);
    bli_rntm_init(&one_thread);
    bli_rntm_set_num_threads(1, &one_thread);
#ifdef FINE__DOUBLE
    bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, a_data, a.row_stride,
                 a.column_stride, b_data, b.row_stride, b.column_stride, &beta_real, c, ldc, 1,
                 kernels, &one_thread);
#else
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, a_data, a.row_stride,
                 a.column_stride, b_data, b.row_stride, b.column_stride, &beta_real, c, ldc, 1,
                 kernels, &one_thread);
#endif
}

struct job {
    fine_context *ctx;
    int64_t m, n, k, row_tile, column_tile, n_row_tiles, ldc;
    double beta;
    struct fine__matrix a, b;
    const fine__real *bias;
    fine__real *c;
};

FINE__CLONES static void
add_bias(fine__real *c, int64_t m, int64_t n, int64_t ldc, const fine__real *bias)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            c[i * ldc + j] += bias[j];
}

static void
run_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const int64_t i = tile % job->n_row_tiles * job->row_tile;
    const int64_t j = tile / job->n_row_tiles * job->column_tile;
    const int64_t m = job->m - i < job->row_tile ? job->m - i : job->row_tile;
    const int64_t n = job->n - j < job->column_tile ? job->n - j : job->column_tile;
    struct fine__matrix a = job->a, b = job->b;
    fine__real *c = job->c + i * job->ldc + j;

    (void)worker;
    a.data += i * a.row_stride;
    b.data += j * b.column_stride;
    fine__gemm_one(job->ctx, m, n, job->k, a, b, job->beta, c, job->ldc);
    if (job->bias != NULL)
        add_bias(c, m, n, job->ldc, job->bias + j);
}

/*
 * A tile packs its rows of A and its columns of B anew, so for `rows` by `columns` tiles
 * (m columns + n rows) k numbers are packed: the cheapest cut into at least so many
 * tiles is taken. Large products are cut in eight or more, so that five threads have work;
 * small ones, where packing weighs more, in four.
 */
static void
cut(struct job *job)
{
    const int64_t n_tiles = job->m * job->n * job->k > (int64_t)1 << 30 ? 8 : 4;
    int64_t best = INT64_MAX, best_rows = 1, best_columns = 1;

    for (int64_t rows = 1; rows <= n_tiles; rows++) {
        const int64_t columns = (n_tiles + rows - 1) / rows;

        if (job->m * columns + job->n * rows < best) {
            best = job->m * columns + job->n * rows;
            best_rows = rows;
            best_columns = columns;
        }
    }
    /* whole micro-tiles of every kernel BLIS or we have */
    job->row_tile = ((job->m + best_rows - 1) / best_rows + 23) / 24 * 24;
    job->column_tile = ((job->n + best_columns - 1) / best_columns + 47) / 48 * 48;
}

void
fine__gemm(fine_context *ctx, int64_t m, int64_t n, int64_t k, struct fine__matrix a,
           struct fine__matrix b, const fine__real *bias, double beta, fine__real *c, int64_t ldc)
{
    struct job job = { .ctx = ctx, .m = m, .n = n, .k = k, .ldc = ldc, .beta = beta, .a = a,
                       .b = b, .bias = bias, .c = c };

    if (m <= 0 || n <= 0)
        return;
    cut(&job);
    job.n_row_tiles = (m + job.row_tile - 1) / job.row_tile;
    fine__parallel_for(ctx, job.n_row_tiles * ((n + job.column_tile - 1) / job.column_tile),
                       run_tile, &job);
}
