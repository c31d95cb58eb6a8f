// Tiles: the direct convolution in bf16 on the matrix unit (AMX) of Intel's Xeons from Sapphire Rapids on.
//
// A tile register holds 16 rows of 64 bytes. One instruction multiplies 16 pixels × 32 values by 32 values × 16 channels and adds
// the products to 16 pixels × 16 channels in fp32: as much work as 256 of the vector kernel's. For a row of the kernel, the values
// that an output pixel needs lie in one run, the taps one after the other, so pixels are loaded as they are: 16 runs that overlap.
#include "CKernels.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512bf16")

/// Linux gives the registers' 8 KB to a process that asks for them.
bool acuity_has_tiles(void) {
    if (!__builtin_cpu_supports("amx-tile") || !__builtin_cpu_supports("amx-bf16")) return false;
    const long request = 0x1023, data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, request, data) == 0;
}

/// What `ldtilecfg` reads. Registers 0…3 hold sums, 4 and 5 pixels, 6 and 7 weights.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} configuration;

enum { pixels = 16, lanes = 16, run = 32, tile = lanes * run };  // `tile`: bf16 numbers of a tile of weights

__attribute__((TILES)) static void configure(int rows) {
    configuration c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.bytes[i] = 64;
        c.rows[i] = i < 6 ? (uint8_t)rows : lanes;
    }
    _tile_loadconfig(&c);
}

/// Bias, slope, residual and the stores for the sums of `count` pixels, 16 channels each.
__attribute__((TILES)) static inline void finish(const acuity_convolution *c, const acuity_segment *s, const float *sums, ptrdiff_t x,
                                                 ptrdiff_t count, ptrdiff_t channel) {
    const __m512 bias = _mm512_loadu_ps(c->bias + channel), zero = _mm512_setzero_ps();
    const __m512 slope = c->slope ? _mm512_loadu_ps(c->slope + channel) : _mm512_set1_ps(1);
    for (ptrdiff_t p = 0; p < count; p++) {
        __m512 v = _mm512_add_ps(_mm512_load_ps(sums + p * lanes), bias);
        v = _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, zero, _CMP_LT_OQ), v, slope);
        if (s->residual) v = _mm512_add_ps(v, _mm512_loadu_ps(s->residual + (x + p) * s->residual_stride + channel));
        if (s->out32) _mm512_storeu_ps(s->out32 + (x + p) * s->stride32 + channel, v);
        if (s->out16)
            _mm256_storeu_si256((__m256i *)(s->out16 + (x + p) * s->stride16 + channel), (__m256i)_mm512_cvtneps_pbh(v));
    }
}

/// `PIXELS` and `CHANNELS` tiles from column x on. Those before column `from` are there already.
#define BLOCK(NAME, PIXELS, CHANNELS)                                                                                             \
    __attribute__((noinline, TILES)) static void NAME(const acuity_convolution *c, const acuity_segment *s, const uint16_t *weights, \
                                                      ptrdiff_t group_weights, ptrdiff_t channel, ptrdiff_t x, ptrdiff_t from, int rows) { \
        _tile_zero(0);                                                                                                            \
        if (CHANNELS > 1) _tile_zero(1);                                                                                          \
        if (PIXELS > 1) _tile_zero(2);                                                                                            \
        if (PIXELS > 1 && CHANNELS > 1) _tile_zero(3);                                                                            \
        const uint16_t *const *row = (const uint16_t *const *)s->rows;                                                            \
        for (int source = 0; source < c->source_count; source++) {                                                                \
            const ptrdiff_t next = c->sources[source].pixel_stride * c->stride;                                                   \
            const ptrdiff_t values = c->sources[source].pixel_stride * c->kernel_width;                                           \
            for (int ky = 0; ky < c->kernel_height; ky++) {                                                                       \
                const uint16_t *in = *row++ + x * next;                                                                           \
                for (ptrdiff_t k = 0; k < values; k += run, weights += tile) {                                                    \
                    _tile_loadd(4, in + k, next * 2);                                                                             \
                    if (PIXELS > 1) _tile_loadd(5, in + k + pixels * next, next * 2);                                             \
                    _tile_loadd(6, weights, 64);                                                                                  \
                    if (CHANNELS > 1) _tile_loadd(7, weights + group_weights, 64);                                                \
                    _tile_dpbf16ps(0, 4, 6);                                                                                      \
                    if (CHANNELS > 1) _tile_dpbf16ps(1, 4, 7);                                                                    \
                    if (PIXELS > 1) _tile_dpbf16ps(2, 5, 6);                                                                      \
                    if (PIXELS > 1 && CHANNELS > 1) _tile_dpbf16ps(3, 5, 7);                                                      \
                }                                                                                                                 \
            }                                                                                                                     \
        }                                                                                                                         \
        _Alignas(64) float sums[PIXELS * CHANNELS][pixels * lanes];                                                               \
        _tile_stored(0, sums[0], 64);                                                                                             \
        if (CHANNELS > 1) _tile_stored(1, sums[1], 64);                                                                           \
        if (PIXELS > 1) _tile_stored(2, sums[CHANNELS], 64);                                                                      \
        if (PIXELS > 1 && CHANNELS > 1) _tile_stored(3, sums[3], 64);                                                             \
        for (int p = 0; p < PIXELS; p++) {                                                                                        \
            const ptrdiff_t first = x + p * pixels, skip = from > first ? from - first : 0;                                       \
            if (skip >= rows) continue;                                                                                           \
            for (int g = 0; g < CHANNELS; g++)                                                                                    \
                finish(c, s, sums[p * CHANNELS + g] + skip * lanes, first + skip, rows - skip, channel + g * lanes);              \
        }                                                                                                                         \
    }
BLOCK(block_2_2, 2, 2)
BLOCK(block_2_1, 2, 1)
BLOCK(block_1_2, 1, 2)
BLOCK(block_1_1, 1, 1)

/// A row ends with tiles that begin earlier, so that they end with it; only their new columns are stored. Rows narrower than a tile
/// take tiles of fewer pixels.
__attribute__((TILES)) static void tile_convolve(const acuity_convolution *c, const acuity_segment *s) {
    const int rows = s->last < pixels ? (int)s->last : pixels;
    if (s->first >= s->last) return;
    configure(rows);
    ptrdiff_t group_weights = 0, groups = 0;
    for (int i = 0; i < c->source_count; i++)
        group_weights += (c->sources[i].pixel_stride * c->kernel_width + run - 1) / run * tile * c->kernel_height;
    for (int i = 0; i < c->block_count; i++) groups += c->block_groups[i];
    for (ptrdiff_t group = 0; group < groups; group += 2) {
        const uint16_t *weights = (const uint16_t *)c->weights + group * group_weights;
        const ptrdiff_t channel = group * lanes;
        const bool two = group + 1 < groups;
        ptrdiff_t x = s->first;
        while (x < s->last) {
            if (s->last - x > pixels && s->last >= 2 * pixels) {
                const ptrdiff_t start = x + 2 * pixels <= s->last ? x : s->last - 2 * pixels;
                (two ? block_2_2 : block_2_1)(c, s, weights, group_weights, channel, start, x, rows);
                x = start + 2 * pixels;
            } else {
                const ptrdiff_t start = x + rows <= s->last ? x : s->last - rows;
                (two ? block_1_2 : block_1_1)(c, s, weights, group_weights, channel, start, x, rows);
                x = start + rows;
            }
        }
    }
    _tile_release();
}

acuity_convolve acuity_tile_kernel(void) { return acuity_has(acuity_amx) ? tile_convolve : NULL; }

__attribute__((noinline, TILES)) double acuity_tile_peak(int64_t iterations) {
    configure(pixels);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(6);
    for (int64_t n = 0; n < iterations; n++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 6);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 4, 6);
    }
    _tile_release();
    return (double)iterations * 4 * 2 * pixels * lanes * run;
}

#else

bool acuity_has_tiles(void) { return false; }
acuity_convolve acuity_tile_kernel(void) { return NULL; }
double acuity_tile_peak(int64_t iterations) {
    (void)iterations;
    return 0;
}

#endif
