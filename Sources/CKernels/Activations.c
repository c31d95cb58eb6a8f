// Activations: element-wise functions on rows, vectorised where they are worth it.
#include "CKernels.h"

#include <math.h>
#include <string.h>

// eˣ = 2ⁿ eʳ with |r| ≤ ½ ln 2 and a polynomial for eʳ (Cephes), all in operations that compilers vectorise. Beyond ±87 it
// stays at its last finite value, where SiLU and sigmoid no longer change.
static inline __attribute__((always_inline)) float exponential(float x) {
    x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
    const float shift = 12582912.0f;  // 1.5 · 2²³: adding it rounds to a whole number.
    const float n = (x * 1.44269504f + shift) - shift;
    const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

// One function per instruction set.
#define ROWS(SUFFIX, TARGET)                                                                                             \
    TARGET static void silu_##SUFFIX(const float *in, float *out, ptrdiff_t count) {                                     \
        for (ptrdiff_t i = 0; i < count; i++) out[i] = in[i] / (1 + exponential(-in[i]));                                \
    }                                                                                                                    \
    TARGET static void sigmoid_##SUFFIX(const float *in, float *out, ptrdiff_t count) {                                  \
        for (ptrdiff_t i = 0; i < count; i++) out[i] = 1 / (1 + exponential(-in[i]));                                    \
    }                                                                                                                    \
    TARGET static void gate_##SUFFIX(const float *restrict a, const float *restrict b, float *restrict out, ptrdiff_t count) { \
        for (ptrdiff_t i = 0; i < count; i++) out[i] = (a[i] + b[i]) * (1 / (1 + exponential(-a[i])) - 0.5f);            \
    }                                                                                                                    \
    TARGET static void product_##SUFFIX(const float *restrict a, const float *restrict b, float *restrict out, ptrdiff_t count) { \
        for (ptrdiff_t i = 0; i < count; i++) out[i] = a[i] * b[i];                                                      \
    }

ROWS(scalar, )
#if defined(__x86_64__)
ROWS(avx2, __attribute__((target("avx2,fma"))))
ROWS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl"))))
#define DISPATCH(NAME, ...)                                        \
    do {                                                           \
        if (isa >= acuity_avx512) return NAME##_avx512(__VA_ARGS__); \
        if (isa == acuity_avx2) return NAME##_avx2(__VA_ARGS__);     \
        return NAME##_scalar(__VA_ARGS__);                         \
    } while (0)
#else
#define DISPATCH(NAME, ...)                \
    do {                                   \
        (void)isa;                         \
        return NAME##_scalar(__VA_ARGS__); \
    } while (0)
#endif

void acuity_gate(acuity_isa isa, const float *a, const float *b, float *out, ptrdiff_t count) { DISPATCH(gate, a, b, out, count); }

void acuity_product(acuity_isa isa, const float *a, const float *b, float *out, ptrdiff_t count) { DISPATCH(product, a, b, out, count); }

void acuity_activate(acuity_isa isa, acuity_activation function, const float *in, float *out, ptrdiff_t count) {
    switch (function) {
    case acuity_silu: DISPATCH(silu, in, out, count);
    case acuity_sigmoid: DISPATCH(sigmoid, in, out, count);
    case acuity_gelu:
        for (ptrdiff_t i = 0; i < count; i++) out[i] = 0.5f * in[i] * (1 + erff(in[i] * 0.70710678f));
        return;
    case acuity_mish:  // x tanh(ln(1 + eˣ)); beyond 20 the logarithm is x itself.
        for (ptrdiff_t i = 0; i < count; i++) out[i] = in[i] > 20 ? in[i] : in[i] * tanhf(log1pf(expf(in[i])));
        return;
    case acuity_tanh:
        for (ptrdiff_t i = 0; i < count; i++) out[i] = tanhf(in[i]);
        return;
    }
}
