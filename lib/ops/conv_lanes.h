/*
 * conv_lanes.h — the two innermost loops of a convolution for one width of vectors; a template:
 * conv_kernel.c includes it once for each, with
 *   NAME(x)      x with the width's name after it,
 *   TARGET       the attribute for such a processor,
 *   BYTES        of a vector,
 *   VECTORS      of a panel's row.
 * The sums of PIXELS x VECTORS vectors stay in registers.
 */

FINE__VEC_TYPES(NAME(vec), NAME(any), BYTES);

#define LANES (BYTES / (int)sizeof(fine__real))

TARGET static void
NAME(pixels)(const struct fine__conv_pixels *p)
{
    const fine__real *from[PIXELS], *row = p->panel;
    NAME(vec) sum[PIXELS][VECTORS];

    FINE__UNROLL
    for (int v = 0; v < VECTORS; v++) {
        NAME(vec) start = { 0 };

        if (p->start != NULL)
            start = *(const NAME(any) *)(p->start + v * LANES);
        FINE__UNROLL
        for (int i = 0; i < PIXELS; i++)
            sum[i][v] = start;
    }
    for (int64_t r = 0; r < p->n_runs; r++) {
        FINE__UNROLL
        for (int i = 0; i < PIXELS; i++)
            from[i] = p->from[i] + p->offset[r];
        for (int64_t k = 0; k < p->run; k++, row += VECTORS * LANES) {
            NAME(vec) b[VECTORS];

            FINE__UNROLL
            for (int v = 0; v < VECTORS; v++)
                b[v] = *(const NAME(any) *)(row + v * LANES);
            FINE__UNROLL
            for (int i = 0; i < PIXELS; i++) {
                FINE__UNROLL
                for (int v = 0; v < VECTORS; v++)
                    sum[i][v] += b[v] * from[i][k];
            }
        }
    }
    if (p->n == PIXELS && p->columns == VECTORS * LANES) {
        FINE__UNROLL
        for (int i = 0; i < PIXELS; i++) {
            FINE__UNROLL
            for (int v = 0; v < VECTORS; v++) {
                NAME(any) *to = (NAME(any) *)(p->to[i] + v * LANES);

                *to = p->add ? sum[i][v] + *to : sum[i][v];
            }
        }
        return;
    }
    fine__real edge[PIXELS][VECTORS * LANES];

    memcpy(edge, sum, sizeof edge);
    for (int i = 0; i < p->n; i++)
        for (int64_t j = 0; j < p->columns; j++)
            p->to[i][j] = p->add ? edge[i][j] + p->to[i][j] : edge[i][j];
}

TARGET static void
NAME(weights)(const struct fine__conv_weights *p)
{
    const fine__real *dy = p->dy;
    NAME(vec) sum[PIXELS][VECTORS];

    FINE__UNROLL
    for (int i = 0; i < PIXELS; i++) {
        FINE__UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = (NAME(vec)){ 0 };
    }
    for (int64_t r = 0; r < p->n_images * p->n_rows; r++) {
        const fine__real *from = p->from + r / p->n_rows * p->image_step +
                                 r % p->n_rows * p->row_step;

        for (int64_t k = 0; k < p->n_columns; k++) {
            NAME(vec) b[VECTORS];

            FINE__UNROLL
            for (int v = 0; v < VECTORS; v++)
                b[v] = *(const NAME(any) *)(dy + v * LANES);
            FINE__UNROLL
            for (int i = 0; i < PIXELS; i++) {
                FINE__UNROLL
                for (int v = 0; v < VECTORS; v++)
                    sum[i][v] += b[v] * from[i];
            }
            dy += VECTORS * LANES;
            from += p->column_step;
        }
    }
    fine__real edge[PIXELS][VECTORS * LANES];

    memcpy(edge, sum, sizeof edge);
    for (int i = 0; i < p->n; i++) {
        fine__real *to = p->to + i * p->to_step;

        FINE__UNROLL
        for (int v = 0; v < VECTORS; v++) {
            NAME(any) *at = (NAME(any) *)(to + v * LANES);
            const NAME(vec) s = *(const NAME(any) *)(edge[i] + v * LANES);

            *at = p->add ? s + *at : s;
        }
    }
}

#undef LANES
#undef NAME
#undef TARGET
#undef BYTES
#undef VECTORS
