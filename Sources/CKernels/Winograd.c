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

// Neighbouring tiles share two columns, so columns are transformed for several tiles at a time.
enum { tiles_at_a_time = 3, channels_at_a_time = 32, ahead = 12 };

#if defined(__x86_64__)
#include <immintrin.h>

static inline __attribute__((always_inline, target("avx2"))) __m256i first_8(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define NAME(x) avx2_##x
#define TARGET target("avx2,fma")
#define VECTOR __m256
#define LANES 8
#define SET(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_load_ps(p)
#define STORE(p, v) _mm256_store_ps(p, v)
#define LOAD_ANYWHERE(p) _mm256_loadu_ps(p)
#define STORE_ANYWHERE(p, v) _mm256_storeu_ps(p, v)
#define SOME __m256i
#define FIRST(n) first_8(n)
#define LOAD_SOME(some, p) _mm256_maskload_ps(p, some)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define FMADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define FNMADD(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define LEAK(v, slope) _mm256_blendv_ps(v, _mm256_mul_ps(v, slope), v)
#define FOR_EACH_BLOCK(PRODUCTS) PRODUCTS(1, 2, 6)
#include "WinogradTemplate.h"

static inline __mmask16 first_16(int count) { return count >= 16 ? (__mmask16)0xffff : count <= 0 ? (__mmask16)0 : (__mmask16)((1u << count) - 1); }

#define NAME(x) avx512_##x
#define TARGET target("avx512f,avx512bw,avx512vl")
#define VECTOR __m512
#define LANES 16
#define SET(x) _mm512_set1_ps(x)
#define LOAD(p) _mm512_load_ps(p)
#define STORE(p, v) _mm512_store_ps(p, v)
#define LOAD_ANYWHERE(p) _mm512_loadu_ps(p)
#define STORE_ANYWHERE(p, v) _mm512_storeu_ps(p, v)
#define SOME __mmask16
#define FIRST(n) first_16(n)
#define LOAD_SOME(some, p) _mm512_maskz_loadu_ps(some, p)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define FMADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define FNMADD(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define LEAK(v, slope) _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, slope)
#define FOR_EACH_BLOCK(PRODUCTS) PRODUCTS(1, 1, 12) PRODUCTS(2, 2, 12) PRODUCTS(3, 3, 8) PRODUCTS(4, 4, 6)
#include "WinogradTemplate.h"
#elif defined(__aarch64__)
#include <arm_neon.h>

static inline float32x4_t load_some(int count, const float *p) {
    if (count >= 4) return vld1q_f32(p);
    float some[4] = {0};
    for (int i = 0; i < count; i++) some[i] = p[i];
    return vld1q_f32(some);
}

#define NAME(x) neon_##x
#define TARGET unused
#define VECTOR float32x4_t
#define LANES 4
#define SET(x) vdupq_n_f32(x)
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define LOAD_ANYWHERE(p) vld1q_f32(p)
#define STORE_ANYWHERE(p, v) vst1q_f32(p, v)
#define SOME int
#define FIRST(n) (n)
#define LOAD_SOME(some, p) load_some(some, p)
#define ADD(a, b) vaddq_f32(a, b)
#define SUB(a, b) vsubq_f32(a, b)
#define FMADD(a, b, c) vfmaq_f32(c, a, b)
#define FNMADD(a, b, c) vfmsq_f32(c, a, b)
#define LEAK(v, slope) vbslq_f32(vcltzq_f32(v), vmulq_f32(v, slope), v)
#define FOR_EACH_BLOCK(PRODUCTS) PRODUCTS(1, 4, 6)
#include "WinogradTemplate.h"
#endif

const acuity_winograd *acuity_winograd_steps(acuity_isa isa) {
    if (!acuity_has(isa)) return NULL;
#if defined(__x86_64__)
    static const acuity_winograd avx2 = {avx2_input, avx2_multiply, avx2_output};
    static const acuity_winograd avx512 = {avx512_input, avx512_multiply, avx512_output};
    if (isa >= acuity_avx512) return &avx512;
    if (isa >= acuity_avx2) return &avx2;
#elif defined(__aarch64__)
    static const acuity_winograd neon = {neon_input, neon_multiply, neon_output};
    if (isa == acuity_neon) return &neon;
#endif
    return NULL;
}
