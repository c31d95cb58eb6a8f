// Rows: element-wise kernels on rows, and what the processor can do.
#include "CKernels.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

bool acuity_has(acuity_isa isa) {
#if defined(__x86_64__)
    switch (isa) {
    case acuity_scalar: return true;
    case acuity_neon: return false;
    case acuity_avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case acuity_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case acuity_avx512bf16: return acuity_has(acuity_avx512) && __builtin_cpu_supports("avx512bf16");
    case acuity_amx: return acuity_has(acuity_avx512bf16) && acuity_has_tiles();
    }
    return false;
#elif defined(__aarch64__)
    return isa <= acuity_neon;  // Part of the architecture.
#else
    return isa == acuity_scalar;
#endif
}

void acuity_processor_name(char *name, size_t size) {
    char text[49] = "unknown";
#if defined(__x86_64__)
    uint32_t r[4];
    if (__get_cpuid_max(0x80000000, NULL) >= 0x80000004)
        for (uint32_t i = 0; i < 3; i++) {
            __cpuid(0x80000002 + i, r[0], r[1], r[2], r[3]);
            memcpy(text + 16 * i, r, 16);
        }
    text[48] = 0;
#endif
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ') length--;
    if (length >= size) length = size - 1;
    memcpy(name, text, length);
    name[length] = 0;
}

static inline uint16_t rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float widened(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static void round_bf16(const float *in, uint16_t *out, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256((__m256i *)(out + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(in + i)));
    for (; i < count; i++) out[i] = rounded(in[i]);
}

// Up to four channels, one pixel a turn: what is rounded, and behind it what rounding took away.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static void input_bf16(
    const float *in, ptrdiff_t count, int32_t channels, uint16_t *out, ptrdiff_t stride, bool split) {
    const __mmask8 loaded = (__mmask8)((1u << channels) - 1), stored = (__mmask8)((1u << (split ? 2 * channels : channels)) - 1);
    const __m128i apart = _mm_add_epi16(_mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0), _mm_set1_epi16((int16_t)(4 - channels)));
    // Lanes of the high parts, then of the low parts, which lie four lanes up.
    const __m128i index = _mm_mask_mov_epi16(_mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0), (__mmask8)(0xff << channels), apart);
    for (ptrdiff_t x = 0; x < count; x++) {
        const __m128 value = _mm_maskz_loadu_ps(loaded, in + x * channels);
        const __m128i high = (__m128i)_mm_cvtneps_pbh(value);
        const __m128 wide = _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(high), 16));
        const __m128i low = (__m128i)_mm_cvtneps_pbh(_mm_sub_ps(value, wide));
        _mm_mask_storeu_epi16(out + x * stride, stored, _mm_permutexvar_epi16(index, _mm_unpacklo_epi64(high, low)));
    }
}

// A picture pixel's channels are repeated over the lanes, so that one masked vector is one row of the enlarged pixel.
__attribute__((target("avx512f,avx512bw,avx512vl"))) static void shuffle_out_avx512(
    const float *in, ptrdiff_t stride, ptrdiff_t count, int32_t factor, int32_t channels, const float *base, float *out, ptrdiff_t out_stride) {
    const ptrdiff_t run = (ptrdiff_t)factor * channels;
    const __mmask16 lanes = (__mmask16)((1u << run) - 1), pixel = (__mmask16)((1u << channels) - 1);
    int32_t index[16];
    for (int i = 0; i < 16; i++) index[i] = i % channels;
    const __m512i repeat = _mm512_loadu_si512(index);
    for (ptrdiff_t x = 0; x < count; x++, in += stride, out += run) {
        __m512 add = _mm512_setzero_ps();
        if (base) add = _mm512_permutexvar_ps(repeat, _mm512_maskz_loadu_ps(pixel, base + x * channels));
        for (int32_t dy = 0; dy < factor; dy++)
            _mm512_mask_storeu_ps(out + dy * out_stride, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, in + dy * run), add));
    }
}

#define SUM(NAME, TARGET)                                                                                         \
    __attribute__((TARGET)) static void NAME(const float *restrict a, float p, const float *restrict b, float q, \
                                             float *restrict out, ptrdiff_t count) {                              \
        for (ptrdiff_t i = 0; i < count; i++) out[i] = a[i] * p + b[i] * q;                                       \
    }
SUM(sum_avx512, target("avx512f"))
SUM(sum_avx2, target("avx2"))
#endif

void acuity_round(acuity_isa isa, const float *in, uint16_t *out, ptrdiff_t count) {
#if defined(__x86_64__)
    if (isa >= acuity_avx512bf16) return round_bf16(in, out, count);
#endif
    (void)isa;
    for (ptrdiff_t i = 0; i < count; i++) out[i] = rounded(in[i]);
}

void acuity_input(acuity_isa isa, const float *in, ptrdiff_t count, int32_t channels, float *out32, ptrdiff_t stride32, uint16_t *out16,
                  ptrdiff_t stride16, bool split) {
    if (out32)
        for (ptrdiff_t x = 0; x < count; x++)
            for (int32_t c = 0; c < channels; c++) out32[x * stride32 + c] = in[x * channels + c];
#if defined(__x86_64__)
    if (out16 && isa >= acuity_avx512bf16 && channels <= 4) {
        input_bf16(in, count, channels, out16, stride16, split);
        return;
    }
#endif
    (void)isa;
    if (out16)
        for (ptrdiff_t x = 0; x < count; x++)
            for (int32_t c = 0; c < channels; c++) {
                const float value = in[x * channels + c];
                const uint16_t high = rounded(value);
                out16[x * stride16 + c] = high;
                if (split) out16[x * stride16 + channels + c] = rounded(value - widened(high));
            }
}

void acuity_shuffle_out(acuity_isa isa, const float *in, ptrdiff_t stride, ptrdiff_t count, int32_t factor, int32_t channels,
                        const float *base, float *out, ptrdiff_t out_stride) {
    const ptrdiff_t run = (ptrdiff_t)factor * channels;
    (void)isa;
#if defined(__x86_64__)
    if (isa >= acuity_avx512 && run <= 16)
        return shuffle_out_avx512(in, stride, count, factor, channels, base, out, out_stride);
#endif
    for (int32_t dy = 0; dy < factor; dy++)
        for (ptrdiff_t x = 0; x < count; x++)
            for (int32_t dx = 0; dx < factor; dx++)
                for (int32_t c = 0; c < channels; c++)
                    out[dy * out_stride + x * run + dx * channels + c] =
                        in[x * stride + dy * run + dx * channels + c] + (base ? base[x * channels + c] : 0);
}

void acuity_sum(acuity_isa isa, const float *a, float a_factor, const float *b, float b_factor, float *out, ptrdiff_t count) {
#if defined(__x86_64__)
    if (isa >= acuity_avx512) return sum_avx512(a, a_factor, b, b_factor, out, count);
    if (isa == acuity_avx2) return sum_avx2(a, a_factor, b, b_factor, out, count);
#endif
    (void)isa;
    for (ptrdiff_t i = 0; i < count; i++) out[i] = a[i] * a_factor + b[i] * b_factor;
}

// Adding 2²³ rounds: the integer stands in the lowest bits. Without the sign, floats are ordered as their bits are, infinity and NaN above all.
#define QUANTISE(NAME, TYPE, WHITE, TARGET)                                                        \
    TARGET static bool NAME(const float *restrict in, TYPE *restrict out, ptrdiff_t count) {       \
        _Pragma("STDC FP_CONTRACT OFF") int32_t largest = 0;                                       \
        for (ptrdiff_t i = 0; i < count; i++) {                                                    \
            int32_t bits, rounded;                                                                 \
            memcpy(&bits, in + i, 4);                                                              \
            bits &= 0x7fffffff;                                                                    \
            largest = bits > largest ? bits : largest;                                             \
            const float low = in[i] > 0 ? in[i] : 0, clipped = low < 1 ? low : 1;                  \
            const float scaled = clipped * WHITE, sum = scaled + 8388608.0f;                       \
            memcpy(&rounded, &sum, 4);                                                             \
            out[i] = (TYPE)rounded;                                                                \
        }                                                                                          \
        return largest < 0x7f800000;                                                               \
    }
QUANTISE(quantise_8, uint8_t, 255.0f, )
QUANTISE(quantise_16, uint16_t, 65535.0f, )
#if defined(__x86_64__)
QUANTISE(quantise_8_avx512, uint8_t, 255.0f, __attribute__((target("avx512f,avx512bw,avx512vl"))))
QUANTISE(quantise_16_avx512, uint16_t, 65535.0f, __attribute__((target("avx512f,avx512bw,avx512vl"))))
QUANTISE(quantise_8_avx2, uint8_t, 255.0f, __attribute__((target("avx2"))))
QUANTISE(quantise_16_avx2, uint16_t, 65535.0f, __attribute__((target("avx2"))))
#endif

bool acuity_quantise_8(acuity_isa isa, const float *in, uint8_t *out, ptrdiff_t count) {
#if defined(__x86_64__)
    if (isa >= acuity_avx512) return quantise_8_avx512(in, out, count);
    if (isa == acuity_avx2) return quantise_8_avx2(in, out, count);
#endif
    (void)isa;
    return quantise_8(in, out, count);
}

bool acuity_quantise_16(acuity_isa isa, const float *in, uint16_t *out, ptrdiff_t count) {
#if defined(__x86_64__)
    if (isa >= acuity_avx512) return quantise_16_avx512(in, out, count);
    if (isa == acuity_avx2) return quantise_16_avx2(in, out, count);
#endif
    (void)isa;
    return quantise_16(in, out, count);
}
