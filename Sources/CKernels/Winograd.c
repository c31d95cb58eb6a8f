// Winograd: 3×3 convolution as F(6×6, 3×3) (Lavin and Gray 2016, arXiv 1509.09308): 64 multiplications for 36 outputs
// instead of 324.
//
// The transforms interpolate at 0, ±1, ±2, ±½, ∞: their constants are exact in binary, and rounding errors stay small.
// Planes of one frequency lie 64 bytes further apart than their size, so that the 64 stores of a tile do not all fall
// into one set of the cache.
#include "CKernels.h"

#include <math.h>

enum { size = acuity_winograd_tile, side = size + 2, frequencies = acuity_winograd_frequencies };

void acuity_winograd_kernel(const float weights[9], float transformed[frequencies]) {
    static const double g[side][3] = {
        {1, 0, 0},
        {-2.0 / 9, -2.0 / 9, -2.0 / 9},
        {-2.0 / 9, 2.0 / 9, -2.0 / 9},
        {1.0 / 90, 2.0 / 90, 4.0 / 90},
        {1.0 / 90, -2.0 / 90, 4.0 / 90},
        {32.0 / 45, 16.0 / 45, 8.0 / 45},
        {32.0 / 45, -16.0 / 45, 8.0 / 45},
        {0, 0, 1},
    };
    double half[side][3];
    for (int i = 0; i < side; i++)
        for (int x = 0; x < 3; x++) half[i][x] = g[i][0] * weights[x] + g[i][1] * weights[3 + x] + g[i][2] * weights[6 + x];
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            transformed[i * side + j] = (float)(half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2]);
}

bool acuity_has_winograd(acuity_isa isa) {
#if defined(__x86_64__)
    return isa >= acuity_avx512 && acuity_has(isa);
#else
    (void)isa;
    return false;
#endif
}

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET target("avx512f,avx512bw,avx512vl")
#define INLINE static inline __attribute__((always_inline, TARGET))
#define UNROLL _Pragma("clang loop unroll(full)")
// For loops over rows of a tile: unrolled, their 64 addresses would not fit into registers.
#define ROLL _Pragma("clang loop unroll(disable)")
#define SET(x) _mm512_set1_ps(x)

/// Bᵀd
INLINE void to_frequencies(const __m512 d[side], __m512 t[side]) {
    t[0] = _mm512_fmadd_ps(SET(5.25f), _mm512_sub_ps(d[4], d[2]), _mm512_sub_ps(d[0], d[6]));
    t[7] = _mm512_fmadd_ps(SET(5.25f), _mm512_sub_ps(d[3], d[5]), _mm512_sub_ps(d[7], d[1]));
    const __m512 e1 = _mm512_fnmadd_ps(SET(4.25f), d[4], _mm512_add_ps(d[2], d[6]));
    const __m512 o1 = _mm512_fnmadd_ps(SET(4.25f), d[3], _mm512_add_ps(d[1], d[5]));
    t[1] = _mm512_add_ps(e1, o1);
    t[2] = _mm512_sub_ps(e1, o1);
    const __m512 e2 = _mm512_fnmadd_ps(SET(1.25f), d[4], _mm512_fmadd_ps(SET(0.25f), d[2], d[6]));
    const __m512 o2 = _mm512_fnmadd_ps(SET(1.25f), d[3], _mm512_fmadd_ps(SET(0.25f), d[1], d[5]));
    t[3] = _mm512_fmadd_ps(SET(2), o2, e2);
    t[4] = _mm512_fnmadd_ps(SET(2), o2, e2);
    const __m512 e3 = _mm512_fnmadd_ps(SET(5), d[4], _mm512_fmadd_ps(SET(4), d[2], d[6]));
    const __m512 o3 = _mm512_fnmadd_ps(SET(5), d[3], _mm512_fmadd_ps(SET(4), d[1], d[5]));
    t[5] = _mm512_fmadd_ps(SET(0.5f), o3, e3);
    t[6] = _mm512_fnmadd_ps(SET(0.5f), o3, e3);
}

/// Aᵀm
INLINE void from_frequencies(const __m512 m[side], __m512 y[size]) {
    const __m512 s1 = _mm512_add_ps(m[1], m[2]), d1 = _mm512_sub_ps(m[1], m[2]);
    const __m512 s2 = _mm512_add_ps(m[3], m[4]), d2 = _mm512_sub_ps(m[3], m[4]);
    const __m512 s3 = _mm512_add_ps(m[5], m[6]), d3 = _mm512_sub_ps(m[5], m[6]);
    y[0] = _mm512_add_ps(_mm512_add_ps(m[0], s1), _mm512_add_ps(s2, s3));
    y[1] = _mm512_fmadd_ps(SET(0.5f), d3, _mm512_fmadd_ps(SET(2), d2, d1));
    y[2] = _mm512_fmadd_ps(SET(0.25f), s3, _mm512_fmadd_ps(SET(4), s2, s1));
    y[3] = _mm512_fmadd_ps(SET(0.125f), d3, _mm512_fmadd_ps(SET(8), d2, d1));
    y[4] = _mm512_fmadd_ps(SET(0.0625f), s3, _mm512_fmadd_ps(SET(16), s2, s1));
    y[5] = _mm512_fmadd_ps(SET(0.03125f), d3, _mm512_fmadd_ps(SET(32), d2, _mm512_add_ps(d1, m[7])));
}

// Neighbouring tiles share two columns, so columns are transformed for several tiles at a time. Pixels are read whole, which
// the processor foresees; `ahead` pixels before they are needed they are asked for, since they come from the third-level cache.
enum { tiles_at_a_time = 3, groups_at_a_time = 2, ahead = 12 };

INLINE void to_planes(const float *const rows[side], ptrdiff_t stride, int channels, ptrdiff_t tiles, float *out, ptrdiff_t pixel, ptrdiff_t plane) {
    _Alignas(64) float columns[size * tiles_at_a_time + 2][groups_at_a_time][side][16];
    const int groups = (channels + 15) / 16;
    for (ptrdiff_t x = 0; x < size * tiles + 2; x++) {
        for (int g = 0; g < groups; g++) {
            const int left = channels - 16 * g;
            const __mmask16 mask = left >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
            __m512 d[side], t[side];
            UNROLL for (int i = 0; i < side; i++) {
                const float *in = rows[i] + x * stride + 16 * g;
                _mm_prefetch((const char *)(in + ahead * stride), _MM_HINT_T0);
                d[i] = _mm512_maskz_loadu_ps(mask, in);
            }
            to_frequencies(d, t);
            UNROLL for (int i = 0; i < side; i++) _mm512_store_ps(columns[x][g][i], t[i]);
        }
    }
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {
        for (int g = 0; g < groups; g++) {
            float *row = out + tile * pixel + 16 * g;
            ROLL for (int i = 0; i < side; i++, row += side * plane) {
                __m512 d[side], t[side];
                UNROLL for (int j = 0; j < side; j++) d[j] = _mm512_load_ps(columns[size * tile + j][g][i]);
                to_frequencies(d, t);
                UNROLL for (int j = 0; j < side; j++) _mm512_store_ps(row + j * plane, t[j]);
            }
        }
    }
}

__attribute__((TARGET)) void acuity_winograd_input(
    const acuity_convolution *c, const float *const *rows, ptrdiff_t first, ptrdiff_t count, float *v, ptrdiff_t pixel, ptrdiff_t plane) {
    for (ptrdiff_t tile = 0; tile < count; tile += tiles_at_a_time) {
        const ptrdiff_t tiles = count - tile < tiles_at_a_time ? count - tile : tiles_at_a_time;
        float *out = v + tile * pixel;
        for (int source = 0; source < c->source_count; source++) {
            const ptrdiff_t stride = c->sources[source].pixel_stride;
            const int channels = c->sources[source].steps;
            for (int channel = 0; channel < channels; channel += 16 * groups_at_a_time) {
                const int left = channels - channel, some = left < 16 * groups_at_a_time ? left : 16 * groups_at_a_time;
                const float *in[side];
                UNROLL for (int i = 0; i < side; i++) in[i] = rows[source * side + i] + (first + tile) * size * stride + channel;
                to_planes(in, stride, some, tiles, out, pixel, plane);
                out += (some + 15) / 16 * 16;
            }
        }
    }
}

/// TILES × VECTORS sums in registers, as in the direct convolution. Meanwhile it asks for a line a step of `near` and `far`.
INLINE void product(const float *v, ptrdiff_t pixel, const float *weights, ptrdiff_t channels, float *m, ptrdiff_t m_pixel,
                    const float *near, const float *far, const int VECTORS, const int TILES) {
    __m512 sum[24];
    UNROLL for (int i = 0; i < TILES * VECTORS; i++) sum[i] = _mm512_setzero_ps();
    const float *in[3] = {v, v + 4 * pixel, v + 8 * pixel};
    for (ptrdiff_t i = 0; i < channels; i++) {
        __m512 w[4];
        UNROLL for (int j = 0; j < VECTORS; j++) w[j] = _mm512_load_ps(weights + j * 16);
        weights += VECTORS * 16;
        _mm_prefetch((const char *)(near + i * 16), _MM_HINT_T0);
        _mm_prefetch((const char *)(far + i * 16), _MM_HINT_T1);
        UNROLL for (int t = 0; t < TILES; t++) {
            const __m512 b = _mm512_set1_ps(in[t / 4][t % 4 * pixel]);
            UNROLL for (int j = 0; j < VECTORS; j++) sum[t * VECTORS + j] = _mm512_fmadd_ps(w[j], b, sum[t * VECTORS + j]);
        }
        UNROLL for (int q = 0; q < (TILES + 3) / 4; q++) {
            in[q]++;
            __asm__("" : "+r"(in[q]));
        }
    }
    UNROLL for (int t = 0; t < TILES; t++)
        UNROLL for (int j = 0; j < VECTORS; j++) _mm512_store_ps(m + t * m_pixel + j * 16, sum[t * VECTORS + j]);
}

// Tiles are shared out evenly among the runs of the inner loop, each of as many as there are registers for sums; one or
// two fewer at a time reach nearly the same speed.
#define CASE(TILES, VECTORS) \
    case TILES: product(in, v_pixel, weights, channels, out, m_pixel, near, far, VECTORS, TILES); break;
#define CASES_6(VECTORS) CASE(1, VECTORS) CASE(2, VECTORS) CASE(3, VECTORS) CASE(4, VECTORS) CASE(5, VECTORS) CASE(6, VECTORS)
#define CASES_8(VECTORS) CASES_6(VECTORS) CASE(7, VECTORS) CASE(8, VECTORS)
#define CASES_12(VECTORS) CASES_8(VECTORS) CASE(9, VECTORS) CASE(10, VECTORS) CASE(11, VECTORS) CASE(12, VECTORS)
#define PRODUCTS(VECTORS, MOST)                                                                                         \
    __attribute__((noinline, TARGET)) static void products_##VECTORS(                                                   \
        const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane, const float *weights, ptrdiff_t channels, float *m,       \
        ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *const *fetch, ptrdiff_t fetch_count) {      \
        enum { lanes = VECTORS * 16 };                                                                                  \
        const ptrdiff_t runs = (tiles + MOST - 1) / MOST;                                                               \
        for (int f = 0; f < frequencies; f++, weights += channels * lanes) {                                            \
            const float *next = weights + (f + 1 < frequencies ? channels * lanes : 0);                                 \
            ptrdiff_t tile = 0;                                                                                         \
            for (ptrdiff_t run = 0; run < runs; run++) {                                                                \
                const float *in = v + f * v_plane + tile * v_pixel, *near = next + run % VECTORS * channels * 16;       \
                const ptrdiff_t left = (frequencies - f) * runs - run;                                                  \
                const float *far = left <= fetch_count ? fetch[fetch_count - left] : in;                                \
                float *out = m + f * m_plane + tile * m_pixel;                                                          \
                const ptrdiff_t count = tiles / runs + (run < tiles % runs);                                            \
                tile += count;                                                                                          \
                switch (count) { CASES_##MOST(VECTORS) }                                                                \
            }                                                                                                           \
        }                                                                                                               \
    }
PRODUCTS(1, 12)
PRODUCTS(2, 12)
PRODUCTS(3, 8)
PRODUCTS(4, 6)

void acuity_winograd_multiply(const acuity_convolution *c, int32_t block, const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane,
                              float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *const *fetch,
                              ptrdiff_t fetch_count) {
    const float *weights = c->weights;
    for (int i = 0; i < block; i++) weights += frequencies * v_pixel * c->block_groups[i] * acuity_lanes;
    switch (c->block_groups[block]) {
    case 1: return products_1(v, v_pixel, v_plane, weights, v_pixel, m, m_pixel, m_plane, tiles, fetch, fetch_count);
    case 2: return products_2(v, v_pixel, v_plane, weights, v_pixel, m, m_pixel, m_plane, tiles, fetch, fetch_count);
    case 3: return products_3(v, v_pixel, v_plane, weights, v_pixel, m, m_pixel, m_plane, tiles, fetch, fetch_count);
    case 4: return products_4(v, v_pixel, v_plane, weights, v_pixel, m, m_pixel, m_plane, tiles, fetch, fetch_count);
    }
}

INLINE __m512 leak(__m512 v, __m512 slope) {
    return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, slope);
}

/// One tile, 16 channels. `whole`: all of its pixels exist.
INLINE void from_planes(const float *m, ptrdiff_t plane, __m512 bias, const float *slope, const acuity_winograd_rows *r, ptrdiff_t x,
                        ptrdiff_t channel, ptrdiff_t ahead, const bool whole) {
    _Alignas(64) float half[size][side][16];
    ROLL for (int j = 0; j < side; j++, m += plane) {
        __m512 d[side], y[size];
        UNROLL for (int i = 0; i < side; i++) d[i] = _mm512_load_ps(m + i * side * plane);
        from_frequencies(d, y);
        UNROLL for (int i = 0; i < size; i++) _mm512_store_ps(half[i][j], y[i]);
    }
    const ptrdiff_t columns = r->columns - x, stride = r->stride;
    const __m512 factor = slope ? _mm512_loadu_ps(slope) : SET(1);
    ROLL for (int i = 0; i < (whole ? size : r->rows); i++) {
        __m512 d[side], y[size];
        UNROLL for (int j = 0; j < side; j++) d[j] = _mm512_load_ps(half[i][j]);
        from_frequencies(d, y);
        UNROLL for (int j = 0; j < size; j++) y[j] = _mm512_add_ps(y[j], bias);
        if (slope) UNROLL for (int j = 0; j < size; j++) y[j] = leak(y[j], factor);
        if (r->residual[i]) {
            const float *residual = r->residual[i] + x * r->residual_stride + channel;
            UNROLL for (int j = 0; j < size; j++)
                if (whole || j < columns) y[j] = _mm512_add_ps(y[j], _mm512_loadu_ps(residual + j * r->residual_stride));
        }
        float *out = r->out[i] + x * stride + channel;
        // The lines that later stores need come from the third-level cache.
        UNROLL for (int j = 0; j < size; j++) __builtin_prefetch(out + ahead + j * stride, 1);
        UNROLL for (int j = 0; j < size; j++)
            if (whole || j < columns) _mm512_storeu_ps(out + j * stride, y[j]);
    }
}

__attribute__((TARGET)) void acuity_winograd_output(
    const acuity_convolution *c, int32_t block, const float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t first, ptrdiff_t count,
    const acuity_winograd_rows *r) {
    ptrdiff_t channel = 0;
    for (int i = 0; i < block; i++) channel += (ptrdiff_t)c->block_groups[i] * acuity_lanes;
    const ptrdiff_t end = channel + (ptrdiff_t)c->block_groups[block] * acuity_lanes;
    for (ptrdiff_t tile = 0; tile < count; tile++, m += m_pixel - (end - channel)) {
        const ptrdiff_t x = (first + tile) * size, ahead = tile + 3 < count ? 3 * size * r->stride : 0;
        for (ptrdiff_t o = channel; o < end; o += 16, m += 16) {
            const __m512 bias = _mm512_loadu_ps(c->bias + o);
            const float *slope = c->slope ? c->slope + o : NULL;
            if (r->rows == size && x + size <= r->columns) from_planes(m, m_plane, bias, slope, r, x, o, ahead, true);
            else from_planes(m, m_plane, bias, slope, r, x, o, 0, false);
        }
    }
}
#else
void acuity_winograd_input(const acuity_convolution *c, const float *const *rows, ptrdiff_t first, ptrdiff_t count, float *v,
                           ptrdiff_t pixel, ptrdiff_t plane) {
    (void)c, (void)rows, (void)first, (void)count, (void)v, (void)pixel, (void)plane;
}
void acuity_winograd_multiply(const acuity_convolution *c, int32_t block, const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane,
                              float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *const *fetch,
                              ptrdiff_t fetch_count) {
    (void)fetch, (void)fetch_count;
    (void)c, (void)block, (void)v, (void)v_pixel, (void)v_plane, (void)m, (void)m_pixel, (void)m_plane, (void)tiles;
}
void acuity_winograd_output(const acuity_convolution *c, int32_t block, const float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t first,
                            ptrdiff_t count, const acuity_winograd_rows *r) {
    (void)c, (void)block, (void)m, (void)m_pixel, (void)m_plane, (void)first, (void)count, (void)r;
}
#endif
