// Peak: what the arithmetic units can do when nothing else is in the way.
#include "CKernels.h"

#if defined(__x86_64__) || defined(__aarch64__)
#if defined(__x86_64__)
#include <immintrin.h>
#define REGISTER "v"
#else
#include <arm_neon.h>
#define REGISTER "w"
#endif

// 24 accumulators hide a latency of 12 cycles at two instructions a cycle. The empty assembly keeps them in registers.
#define PEAK(NAME, TARGET, COUNT, VECTOR, SET, OPERATION)                                              \
    __attribute__((noinline, TARGET)) static void NAME(int64_t iterations) {                           \
        VECTOR sum[COUNT], w = SET(0.0f), b = SET(0.0f);                                               \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < COUNT; i++) sum[i] = SET((float)i);     \
        for (int64_t n = 0; n < iterations; n++) {                                                     \
            __asm__ volatile("" : "+" REGISTER(w), "+" REGISTER(b));                                                   \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < COUNT; i++) sum[i] = OPERATION;     \
        }                                                                                              \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < COUNT; i++) __asm__ volatile("" ::REGISTER(sum[i])); \
    }
#if defined(__x86_64__)
PEAK(peak_avx2, target("avx2,fma"), 12, __m256, _mm256_set1_ps, _mm256_fmadd_ps(w, b, sum[i]))
PEAK(peak_avx512, target("avx512f"), 24, __m512, _mm512_set1_ps, _mm512_fmadd_ps(w, b, sum[i]))
PEAK(peak_bf16, target("avx512f,avx512bf16"), 24, __m512, _mm512_set1_ps, _mm512_dpbf16_ps(sum[i], (__m512bh)w, (__m512bh)b))
#else
PEAK(peak_neon, unused, 24, float32x4_t, vdupq_n_f32, vfmaq_f32(sum[i], w, b))
#endif
#endif

double acuity_peak(acuity_isa isa, bool bf16, int64_t iterations) {
#if defined(__x86_64__)
    if (!acuity_has(isa)) return 0;
    if (bf16) {
        if (isa == acuity_amx) return acuity_tile_peak(iterations / 8);
        if (isa != acuity_avx512bf16) return 0;
        peak_bf16(iterations);
        return (double)iterations * 24 * 64;
    }
    if (isa >= acuity_avx512) {
        peak_avx512(iterations);
        return (double)iterations * 24 * 32;
    }
    if (isa == acuity_avx2) {
        peak_avx2(iterations);
        return (double)iterations * 12 * 16;
    }
#elif defined(__aarch64__)
    if (isa == acuity_neon && !bf16) {
        peak_neon(iterations);
        return (double)iterations * 24 * 8;
    }
#endif
    (void)isa, (void)bf16, (void)iterations;
    return 0;
}
