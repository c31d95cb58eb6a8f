// WinogradTemplate: the three steps of F(6×6, 3×3), written once for all vector instruction sets.
//
// The includer defines: NAME(x), TARGET, VECTOR, LANES, SET(x), LOAD(p) and STORE(p, v) at multiples of a vector's size,
// LOAD_ANYWHERE(p), STORE_ANYWHERE(p, v), SOME, FIRST(n) and LOAD_SOME(some, p) for the first n values and zeros (n may be negative or too
// large), ADD(a, b), SUB(a, b), FMADD(a, b, c) = a·b + c, FNMADD(a, b, c) = c − a·b, LEAK(v, slope), and FOR_EACH_BLOCK(PRODUCTS) of
// PRODUCTS(groups of 16 channels, vectors, tiles at a time).

#define INLINE static inline __attribute__((always_inline, TARGET))
#define UNROLL _Pragma("clang loop unroll(full)")
// For loops over rows of a tile: unrolled, their 64 addresses would not fit into registers.
#define ROLL _Pragma("clang loop unroll(disable)")

/// Bᵀd
INLINE void NAME(to_frequencies)(const VECTOR d[side], VECTOR t[side]) {
    t[0] = FMADD(SET(5.25f), SUB(d[4], d[2]), SUB(d[0], d[6]));
    t[7] = FMADD(SET(5.25f), SUB(d[3], d[5]), SUB(d[7], d[1]));
    const VECTOR e1 = FNMADD(SET(4.25f), d[4], ADD(d[2], d[6]));
    const VECTOR o1 = FNMADD(SET(4.25f), d[3], ADD(d[1], d[5]));
    t[1] = ADD(e1, o1);
    t[2] = SUB(e1, o1);
    const VECTOR e2 = FNMADD(SET(1.25f), d[4], FMADD(SET(0.25f), d[2], d[6]));
    const VECTOR o2 = FNMADD(SET(1.25f), d[3], FMADD(SET(0.25f), d[1], d[5]));
    t[3] = FMADD(SET(2), o2, e2);
    t[4] = FNMADD(SET(2), o2, e2);
    const VECTOR e3 = FNMADD(SET(5), d[4], FMADD(SET(4), d[2], d[6]));
    const VECTOR o3 = FNMADD(SET(5), d[3], FMADD(SET(4), d[1], d[5]));
    t[5] = FMADD(SET(0.5f), o3, e3);
    t[6] = FNMADD(SET(0.5f), o3, e3);
}

/// Aᵀm
INLINE void NAME(from_frequencies)(const VECTOR m[side], VECTOR y[size]) {
    const VECTOR s1 = ADD(m[1], m[2]), d1 = SUB(m[1], m[2]);
    const VECTOR s2 = ADD(m[3], m[4]), d2 = SUB(m[3], m[4]);
    const VECTOR s3 = ADD(m[5], m[6]), d3 = SUB(m[5], m[6]);
    y[0] = ADD(ADD(m[0], s1), ADD(s2, s3));
    y[1] = FMADD(SET(0.5f), d3, FMADD(SET(2), d2, d1));
    y[2] = FMADD(SET(0.25f), s3, FMADD(SET(4), s2, s1));
    y[3] = FMADD(SET(0.125f), d3, FMADD(SET(8), d2, d1));
    y[4] = FMADD(SET(0.0625f), s3, FMADD(SET(16), s2, s1));
    y[5] = FMADD(SET(0.03125f), d3, FMADD(SET(32), d2, ADD(d1, m[7])));
}

// Pixels are read whole, which the processor foresees; `ahead` pixels before they are needed they are asked for, since they come from the
// third-level cache.
INLINE void NAME(to_planes)(const float *const rows[side], ptrdiff_t stride, int channels, ptrdiff_t tiles, float *out, ptrdiff_t pixel, ptrdiff_t plane) {
    _Alignas(64) float columns[size * tiles_at_a_time + 2][channels_at_a_time / LANES][side][LANES];
    const int vectors = (channels + acuity_lanes - 1) / acuity_lanes * acuity_lanes / LANES;
    for (ptrdiff_t x = 0; x < size * tiles + 2; x++) {
        for (int k = 0; k < vectors; k++) {
            const SOME some = FIRST(channels - LANES * k);
            VECTOR d[side], t[side];
            UNROLL for (int i = 0; i < side; i++) {
                const float *in = rows[i] + x * stride + LANES * k;
                __builtin_prefetch(in + ahead * stride, 0, 3);
                d[i] = LOAD_SOME(some, in);
            }
            NAME(to_frequencies)(d, t);
            UNROLL for (int i = 0; i < side; i++) STORE(columns[x][k][i], t[i]);
        }
    }
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {
        for (int k = 0; k < vectors; k++) {
            float *row = out + tile * pixel + LANES * k;
            ROLL for (int i = 0; i < side; i++, row += side * plane) {
                VECTOR d[side], t[side];
                UNROLL for (int j = 0; j < side; j++) d[j] = LOAD(columns[size * tile + j][k][i]);
                NAME(to_frequencies)(d, t);
                UNROLL for (int j = 0; j < side; j++) STORE(row + j * plane, t[j]);
            }
        }
    }
}

__attribute__((TARGET)) static void NAME(input)(
    const acuity_convolution *c, const float *const *rows, ptrdiff_t first, ptrdiff_t count, float *v, ptrdiff_t pixel, ptrdiff_t plane) {
    for (ptrdiff_t tile = 0; tile < count; tile += tiles_at_a_time) {
        const ptrdiff_t tiles = count - tile < tiles_at_a_time ? count - tile : tiles_at_a_time;
        float *out = v + tile * pixel;
        for (int source = 0; source < c->source_count; source++) {
            const ptrdiff_t stride = c->sources[source].pixel_stride;
            const int channels = c->sources[source].steps;
            for (int channel = 0; channel < channels; channel += channels_at_a_time) {
                const int left = channels - channel, some = left < channels_at_a_time ? left : channels_at_a_time;
                const float *in[side];
                UNROLL for (int i = 0; i < side; i++) in[i] = rows[source * side + i] + (first + tile) * size * stride + channel;
                NAME(to_planes)(in, stride, some, tiles, out, pixel, plane);
                out += (some + acuity_lanes - 1) / acuity_lanes * acuity_lanes;
            }
        }
    }
}

/// TILES × VECTORS sums in registers, as in the direct convolution. Meanwhile it asks for a line a step of `near` and `far`.
INLINE void NAME(product)(const float *v, ptrdiff_t pixel, const float *weights, ptrdiff_t channels, float *m, ptrdiff_t m_pixel,
                    const float *near, const float *far, const int VECTORS, const int TILES) {
    VECTOR sum[24];
    UNROLL for (int i = 0; i < TILES * VECTORS; i++) sum[i] = SET(0);
    const float *in[3] = {v, v + 4 * pixel, v + 8 * pixel};
    for (ptrdiff_t i = 0; i < channels; i++) {
        VECTOR w[4];
        UNROLL for (int j = 0; j < VECTORS; j++) w[j] = LOAD(weights + j * LANES);
        weights += VECTORS * LANES;
        __builtin_prefetch(near + i * 16, 0, 3);
        __builtin_prefetch(far + i * 16, 0, 2);
        UNROLL for (int t = 0; t < TILES; t++) {
            const VECTOR b = SET(in[t / 4][t % 4 * pixel]);
            UNROLL for (int j = 0; j < VECTORS; j++) sum[t * VECTORS + j] = FMADD(w[j], b, sum[t * VECTORS + j]);
        }
        UNROLL for (int q = 0; q < (TILES + 3) / 4; q++) {
            in[q]++;
            __asm__("" : "+r"(in[q]));
        }
    }
    UNROLL for (int t = 0; t < TILES; t++)
        UNROLL for (int j = 0; j < VECTORS; j++) STORE(m + t * m_pixel + j * LANES, sum[t * VECTORS + j]);
}

// Tiles are shared out evenly among the runs of the inner loop, each of as many as there are registers for sums; one or
// two fewer at a time reach nearly the same speed.
#define CASE(TILES, VECTORS) \
    case TILES: NAME(product)(in, v_pixel, weights, channels, out, m_pixel, near, far, VECTORS, TILES); break;
#define CASES_6(VECTORS) CASE(1, VECTORS) CASE(2, VECTORS) CASE(3, VECTORS) CASE(4, VECTORS) CASE(5, VECTORS) CASE(6, VECTORS)
#define CASES_8(VECTORS) CASES_6(VECTORS) CASE(7, VECTORS) CASE(8, VECTORS)
#define CASES_12(VECTORS) CASES_8(VECTORS) CASE(9, VECTORS) CASE(10, VECTORS) CASE(11, VECTORS) CASE(12, VECTORS)
#define PRODUCTS(GROUPS, VECTORS, MOST)                                                                                 \
    __attribute__((noinline, TARGET)) static void NAME(products_##GROUPS)(                                              \
        const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane, const float *weights, ptrdiff_t channels, float *m,       \
        ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *const *fetch, ptrdiff_t fetch_count) {      \
        enum { lanes = VECTORS * LANES };                                                                               \
        const ptrdiff_t runs = (tiles + MOST - 1) / MOST;                                                               \
        for (int f = 0; f < frequencies; f++, weights += channels * lanes) {                                            \
            const float *next = weights + (f + 1 < frequencies ? channels * lanes : 0);                                 \
            ptrdiff_t tile = 0;                                                                                         \
            for (ptrdiff_t run = 0; run < runs; run++) {                                                                \
                const float *in = v + f * v_plane + tile * v_pixel, *near = next + run % GROUPS * channels * 16;        \
                const ptrdiff_t left = (frequencies - f) * runs - run;                                                  \
                const float *far = left <= fetch_count ? fetch[fetch_count - left] : in;                                \
                float *out = m + f * m_plane + tile * m_pixel;                                                          \
                const ptrdiff_t count = tiles / runs + (run < tiles % runs);                                            \
                tile += count;                                                                                          \
                switch (count) { CASES_##MOST(VECTORS) }                                                                \
            }                                                                                                           \
        }                                                                                                               \
    }
FOR_EACH_BLOCK(PRODUCTS)
#undef PRODUCTS
#undef CASES_12
#undef CASES_8
#undef CASES_6
#undef CASE

static void NAME(multiply)(const acuity_convolution *c, int32_t block, const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane,
                              float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *const *fetch,
                              ptrdiff_t fetch_count) {
    const float *weights = c->weights;
    for (int i = 0; i < block; i++) weights += frequencies * v_pixel * c->block_groups[i] * acuity_lanes;
    switch (c->block_groups[block]) {
#define PRODUCTS(GROUPS, VECTORS, MOST) \
    case GROUPS: return NAME(products_##GROUPS)(v, v_pixel, v_plane, weights, v_pixel, m, m_pixel, m_plane, tiles, fetch, fetch_count);
        FOR_EACH_BLOCK(PRODUCTS)
#undef PRODUCTS
    }
}

/// One tile, as many channels as a vector holds. `whole`: all of its pixels exist.
INLINE void NAME(from_planes)(const float *m, ptrdiff_t plane, VECTOR bias, const float *slope, const acuity_winograd_rows *r, ptrdiff_t x,
                        ptrdiff_t channel, ptrdiff_t ahead, const bool whole) {
    _Alignas(64) float half[size][side][LANES];
    ROLL for (int j = 0; j < side; j++, m += plane) {
        VECTOR d[side], y[size];
        UNROLL for (int i = 0; i < side; i++) d[i] = LOAD(m + i * side * plane);
        NAME(from_frequencies)(d, y);
        UNROLL for (int i = 0; i < size; i++) STORE(half[i][j], y[i]);
    }
    const ptrdiff_t columns = r->columns - x, stride = r->stride;
    const VECTOR factor = slope ? LOAD_ANYWHERE(slope) : SET(1);
    ROLL for (int i = 0; i < (whole ? size : r->rows); i++) {
        VECTOR d[side], y[size];
        UNROLL for (int j = 0; j < side; j++) d[j] = LOAD(half[i][j]);
        NAME(from_frequencies)(d, y);
        UNROLL for (int j = 0; j < size; j++) y[j] = ADD(y[j], bias);
        if (slope) UNROLL for (int j = 0; j < size; j++) y[j] = LEAK(y[j], factor);
        if (r->residual[i]) {
            const float *residual = r->residual[i] + x * r->residual_stride + channel;
            UNROLL for (int j = 0; j < size; j++)
                if (whole || j < columns) y[j] = ADD(y[j], LOAD_ANYWHERE(residual + j * r->residual_stride));
        }
        float *out = r->out[i] + x * stride + channel;
        // The lines that later stores need come from the third-level cache.
        UNROLL for (int j = 0; j < size; j++) __builtin_prefetch(out + ahead + j * stride, 1);
        UNROLL for (int j = 0; j < size; j++)
            if (whole || j < columns) STORE_ANYWHERE(out + j * stride, y[j]);
    }
}

__attribute__((TARGET)) static void NAME(output)(
    const acuity_convolution *c, int32_t block, const float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t first, ptrdiff_t count,
    const acuity_winograd_rows *r) {
    ptrdiff_t channel = 0;
    for (int i = 0; i < block; i++) channel += (ptrdiff_t)c->block_groups[i] * acuity_lanes;
    const ptrdiff_t end = channel + (ptrdiff_t)c->block_groups[block] * acuity_lanes;
    for (ptrdiff_t tile = 0; tile < count; tile++, m += m_pixel - (end - channel)) {
        const ptrdiff_t x = (first + tile) * size, ahead = tile + 3 < count ? 3 * size * r->stride : 0;
        for (ptrdiff_t o = channel; o < end; o += LANES, m += LANES) {
            const VECTOR bias = LOAD_ANYWHERE(c->bias + o);
            const float *slope = c->slope ? c->slope + o : NULL;
            if (r->rows == size && x + size <= r->columns) NAME(from_planes)(m, m_plane, bias, slope, r, x, o, ahead, true);
            else NAME(from_planes)(m, m_plane, bias, slope, r, x, o, 0, false);
        }
    }
}

#undef INLINE
#undef UNROLL
#undef ROLL
#undef NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef SET
#undef LOAD
#undef STORE
#undef LOAD_ANYWHERE
#undef STORE_ANYWHERE
#undef SOME
#undef FIRST
#undef LOAD_SOME
#undef ADD
#undef SUB
#undef FMADD
#undef FNMADD
#undef LEAK
#undef FOR_EACH_BLOCK
