// Convolution: the scalar reference kernel, the vector kernels' instantiations, and the choice between them.
#include "CKernels.h"

#include <string.h>

/// The reference: plain loops in the order of the definition.
static void scalar_convolve(const acuity_convolution *c, const acuity_segment *s) {
    const float *weights = c->weights;
    for (int block = 0; block < c->block_count; block++) {
        const ptrdiff_t lanes = (ptrdiff_t)c->block_groups[block] * acuity_lanes;
        ptrdiff_t channel = 0;
        for (int i = 0; i < block; i++) channel += (ptrdiff_t)c->block_groups[i] * acuity_lanes;
        ptrdiff_t block_weights = 0;
        for (ptrdiff_t x = s->first; x < s->last; x++) {
            for (ptrdiff_t lane = 0; lane < lanes; lane++) {
                float sum = c->bias[channel + lane];
                const float *w = weights + lane;
                const float *const *row = (const float *const *)s->rows;
                for (int source = 0; source < c->source_count; source++)
                    for (int ky = 0; ky < c->kernel_height; ky++, row++)
                        for (int kx = 0; kx < c->kernel_width; kx++)
                            for (int i = 0; i < c->sources[source].steps; i++, w += lanes)
                                sum += (*row)[(x * c->stride + kx) * c->sources[source].pixel_stride + i] * *w;
                block_weights = w - weights - lane;
                if (c->slope && sum < 0) sum *= c->slope[channel + lane];
                if (s->residual) sum += s->residual[x * s->residual_stride + channel + lane];
                if (s->out32) s->out32[x * s->stride32 + channel + lane] = sum;
            }
        }
        weights += block_weights;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(x) avx2_##x
#define TARGET target("avx2,fma")
#define VECTOR __m256
#define LANES 8
#define ELEMENT float
#define STEP 1
#define WEIGHTS __m256
#define LOAD_WEIGHTS(p) _mm256_loadu_ps(p)
#define BROADCAST(p) _mm256_broadcast_ss(p)
#define MULTIPLY_ADD(sum, w, b) _mm256_fmadd_ps(w, b, sum)
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define ADD(a, b) _mm256_add_ps(a, b)
#define LEAK(v, slope) _mm256_blendv_ps(v, _mm256_mul_ps(v, slope), v)
#define ROUND_STORE(p, v) (void)(p)
#define FOR_EACH_SHAPE(CASE) CASE(1, 2, 6)
#include "ConvolutionTemplate.h"

#define NAME(x) avx512_##x
#define TARGET target("avx512f,avx512bw,avx512vl")
#define VECTOR __m512
#define LANES 16
#define ELEMENT float
#define STEP 1
#define WEIGHTS __m512
#define LOAD_WEIGHTS(p) _mm512_loadu_ps(p)
#define BROADCAST(p) _mm512_set1_ps(*(p))
#define MULTIPLY_ADD(sum, w, b) _mm512_fmadd_ps(w, b, sum)
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define ADD(a, b) _mm512_add_ps(a, b)
#define LEAK(v, slope) _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, slope)
#define ROUND_STORE(p, v) (void)(p)
#define FOR_EACH_SHAPE(CASE) CASE(1, 1, 24) CASE(2, 2, 12) CASE(3, 3, 8) CASE(4, 4, 6)
#include "ConvolutionTemplate.h"

static inline __attribute__((always_inline, target("avx512f"))) __m512i pair(const uint16_t *p) {
    int32_t two;
    memcpy(&two, p, sizeof two);
    return _mm512_set1_epi32(two);
}

#define NAME(x) bf16_##x
#define TARGET target("avx512f,avx512bw,avx512vl,avx512bf16")
#define VECTOR __m512
#define LANES 16
#define ELEMENT uint16_t
#define STEP 2
#define WEIGHTS __m512i
#define LOAD_WEIGHTS(p) _mm512_loadu_si512(p)
#define BROADCAST(p) pair(p)
#define MULTIPLY_ADD(sum, w, b) _mm512_dpbf16_ps(sum, (__m512bh)(w), (__m512bh)(b))
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define ADD(a, b) _mm512_add_ps(a, b)
#define LEAK(v, slope) _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, slope)
#define ROUND_STORE(p, v) _mm256_storeu_si256((__m256i *)(p), (__m256i)_mm512_cvtneps_pbh(v))
#define FOR_EACH_SHAPE(CASE) CASE(1, 1, 24) CASE(2, 2, 12) CASE(3, 3, 8) CASE(4, 4, 6)
#include "ConvolutionTemplate.h"
#endif

#if defined(__aarch64__)
#include <arm_neon.h>

#define NAME(x) neon_##x
#define TARGET unused
#define VECTOR float32x4_t
#define LANES 4
#define ELEMENT float
#define STEP 1
#define WEIGHTS float32x4_t
#define LOAD_WEIGHTS(p) vld1q_f32(p)
#define BROADCAST(p) vld1q_dup_f32(p)
#define MULTIPLY_ADD(sum, w, b) vfmaq_f32(sum, w, b)
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define ADD(a, b) vaddq_f32(a, b)
#define LEAK(v, slope) vbslq_f32(vcltzq_f32(v), vmulq_f32(v, slope), v)
#define ROUND_STORE(p, v) (void)(p)
#define FOR_EACH_SHAPE(CASE) CASE(1, 4, 6)
#include "ConvolutionTemplate.h"
#endif

acuity_convolve acuity_convolution_kernel(acuity_isa isa, bool bf16) {
    if (!acuity_has(isa)) return NULL;
#if defined(__x86_64__)
    if (bf16) return isa >= acuity_avx512bf16 ? bf16_convolve : NULL;
    switch (isa) {
    case acuity_amx:
    case acuity_avx512bf16:
    case acuity_avx512: return avx512_convolve;
    case acuity_avx2: return avx2_convolve;
    default: break;
    }
#elif defined(__aarch64__)
    if (isa == acuity_neon && !bf16) return neon_convolve;
#endif
    return bf16 ? NULL : scalar_convolve;
}
