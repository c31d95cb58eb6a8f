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

/// What `ldtilecfg` reads. Registers 0 and 1 hold sums, 2 pixels, 3 weights, the others nothing.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} configuration;

enum { pixels = 16, lanes = 16, run = 32, tile = lanes * run };  // `tile`: bf16 numbers of a tile of weights

__attribute__((TILES)) static void configure(int rows) {
    configuration c = {.palette = 1};
    for (int i = 0; i < 4; i++) {
        c.bytes[i] = 64;
        c.rows[i] = i < 3 ? (uint8_t)rows : lanes;
    }
    _tile_loadconfig(&c);
}

/// Pixels x ..< end whose sums, for 16 channels, wait in memory.
typedef struct {
    const float *sums;
    ptrdiff_t x, end, channel;
} waiting_sums;

/// Bias, slope, residual and the stores for at most `count` of the pixels that wait.
__attribute__((TILES)) static inline void finish(const acuity_convolution *c, const acuity_segment *s, waiting_sums *w, ptrdiff_t count) {
    if (w->x >= w->end) return;
    const __m512 bias = _mm512_loadu_ps(c->bias + w->channel), zero = _mm512_setzero_ps();
    const __m512 slope = c->slope ? _mm512_loadu_ps(c->slope + w->channel) : _mm512_set1_ps(1);
    const ptrdiff_t end = w->x + count < w->end ? w->x + count : w->end;
    for (; w->x < end; w->x++, w->sums += lanes) {
        __m512 v = _mm512_add_ps(_mm512_load_ps(w->sums), bias);
        v = _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, zero, _CMP_LT_OQ), v, slope);
        if (s->residual) v = _mm512_add_ps(v, _mm512_loadu_ps(s->residual + w->x * s->residual_stride + w->channel));
        if (s->out32) _mm512_storeu_ps(s->out32 + w->x * s->stride32 + w->channel, v);
        if (s->out16)
            _mm256_storeu_si256((__m256i *)(s->out16 + w->x * s->stride16 + w->channel), (__m256i)_mm512_cvtneps_pbh(v));
    }
}

/// Sums of `PIXELS` × `CHANNELS` tiles (two at most) from column x on. What waits from the block before is finished meanwhile.
///
/// Four registers of the eight: where something else runs on the core's other thread, there are few to rename them with, and once all eight are in
/// use each load waits for products that came before it. The usual 2 × 2 tiles in eight then take twice the time; alone on a core, both
/// are equally fast.
#define BLOCK(NAME, PIXELS, CHANNELS)                                                                                             \
    __attribute__((noinline, TILES)) static void NAME(const acuity_convolution *c, const acuity_segment *s, const uint16_t *weights, \
                                                      ptrdiff_t group_weights, ptrdiff_t x, float *sums, const waiting_sums waiting[2]) { \
        waiting_sums first = waiting[0], second = waiting[1];                                                                     \
        _tile_zero(0);                                                                                                            \
        if (PIXELS * CHANNELS > 1) _tile_zero(1);                                                                                 \
        const uint16_t *const *row = (const uint16_t *const *)s->rows;                                                            \
        for (int source = 0; source < c->source_count; source++) {                                                                \
            const ptrdiff_t next = c->sources[source].pixel_stride * c->stride;                                                   \
            const ptrdiff_t values = c->sources[source].pixel_stride * c->kernel_width;                                           \
            for (int ky = 0; ky < c->kernel_height; ky++) {                                                                       \
                const uint16_t *in = *row++ + x * next;                                                                           \
                for (ptrdiff_t k = 0; k < values; k += run, weights += tile) {                                                    \
                    _tile_loadd(2, in + k, next * 2);                                                                             \
                    _tile_loadd(3, weights, 64);                                                                                  \
                    _tile_dpbf16ps(0, 2, 3);                                                                                      \
                    if (CHANNELS > 1) _tile_loadd(3, weights + group_weights, 64);                                                \
                    if (PIXELS > 1) _tile_loadd(2, in + k + pixels * next, next * 2);                                             \
                    if (PIXELS * CHANNELS > 1) _tile_dpbf16ps(1, 2, 3);                                                           \
                    finish(c, s, &first, 2);                                                                                      \
                    finish(c, s, &second, 2);                                                                                     \
                }                                                                                                                 \
            }                                                                                                                     \
        }                                                                                                                         \
        finish(c, s, &first, pixels);                                                                                             \
        finish(c, s, &second, pixels);                                                                                            \
        _tile_stored(0, sums, 64);                                                                                                \
        if (PIXELS * CHANNELS > 1) _tile_stored(1, sums + pixels * lanes, 64);                                                    \
    }
BLOCK(block_1_1, 1, 1)
BLOCK(block_2_1, 2, 1)
BLOCK(block_1_2, 1, 2)

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

    _Alignas(64) float sums[2][2 * pixels * lanes];
    waiting_sums waiting[2] = {{0}, {0}};
    int turn = 0;
    for (ptrdiff_t group = 0; group < groups;) {
        const uint16_t *weights = (const uint16_t *)c->weights + group * group_weights;
        const ptrdiff_t channel = group * lanes;
        const bool two = group + 1 < groups;
        ptrdiff_t x = s->first;
        while (x < s->last) {
            // Two tiles of weights for one of pixels, or two of pixels for the last one of weights.
            const bool wide = !two && s->last - x > pixels && s->last >= 2 * pixels;
            const ptrdiff_t width = wide ? 2 * pixels : rows, start = x + width <= s->last ? x : s->last - width, end = start + width;
            float *first = sums[turn], *second = first + pixels * lanes;
            (two ? block_1_2 : wide ? block_2_1 : block_1_1)(c, s, weights, group_weights, start, first, waiting);
            // Columns before x are there already.
            const ptrdiff_t middle = wide ? start + pixels : end, from = wide && middle > x ? middle : x;
            waiting[0] = (waiting_sums){first + (x - start) * lanes, x, middle, channel};
            if (wide) waiting[1] = (waiting_sums){second + (from - middle) * lanes, from, end, channel};
            else waiting[1] = (waiting_sums){second + (x - start) * lanes, x, two ? end : x, channel + lanes};
            x = end;
            turn ^= 1;
        }
        group += two ? 2 : 1;
    }
    finish(c, s, &waiting[0], pixels);
    finish(c, s, &waiting[1], pixels);
    _tile_release();
}

acuity_convolve acuity_tile_kernel(void) { return acuity_has(acuity_amx) ? tile_convolve : NULL; }

__attribute__((noinline, TILES)) double acuity_tile_peak(int64_t iterations) {
    configure(pixels);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t n = 0; n < iterations; n++) {
        _tile_dpbf16ps(0, 2, 3);
        _tile_dpbf16ps(1, 2, 3);
    }
    _tile_release();
    return (double)iterations * 2 * 2 * pixels * lanes * run;
}

#else

bool acuity_has_tiles(void) { return false; }
acuity_convolve acuity_tile_kernel(void) { return NULL; }
double acuity_tile_peak(int64_t iterations) {
    (void)iterations;
    return 0;
}

#endif
