// Pixels on a processor: random numbers, noise, the transfer curve and palettes, in loops that compilers turn into vectors.
#pragma once

#include "cpu_filters.h"

#include <cstring>
#include <numeric>

namespace {

// Random numbers: hashes of a counter, so that any pixel's can be had on any thread.

/// Steele, Lea and Flood's SplitMix: independent keys from neighbouring numbers.
uint64_t key(uint64_t seed, uint64_t index) {
    uint64_t x = seed + (index + 1) * 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
}

/// Wellons' "lowbias32", an integer hash of very small bias.
ACUITY_INLINE uint32_t scrambled(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7FEB352D;
    x = (x ^ (x >> 15)) * 0x846CA68B;
    return x ^ (x >> 16);
}

ACUITY_INLINE float floatOf(int32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

ACUITY_INLINE int32_t bitsOf(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

/// The natural logarithm of a positive number, within 2 units in the last place (Moshier's Cephes, logf).
ACUITY_INLINE float logarithm(float x) {
    const int32_t bits = bitsOf(x) - 0x3F3504F3;  // √½
    const float exponent = static_cast<float>(bits >> 23), m = floatOf((bits & 0x7FFFFF) + 0x3F3504F3) - 1, z = m * m;
    float p = 7.0376836292e-2f * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    return m + (p * m * z - 0.5f * z) + exponent * 0.693147180559945f;
}

/// 2ˣ for −126 < x ≤ 0 (Cephes, exp2f).
ACUITY_INLINE float powerOfTwo(float x) {
    const int32_t whole = static_cast<int32_t>(x - 0.5f);
    const float f = x - static_cast<float>(whole);
    float p = 1.535336188319500e-4f * f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    return (1 + p * f) * floatOf((whole + 127) << 23);
}

/// A standard normal number from 24 random bits: Giles' single-precision inverse of the error function (2010).
ACUITY_INLINE float normalOf(uint32_t random) {
    const float x = (static_cast<int32_t>(random >> 8) - (1 << 23) + 0.5f) * (1.0f / (1 << 23));
    const float w = -logarithm((1 - x) * (1 + x));
    const float a = w - 2.5f, b = std::sqrt(w) - 3;
    float p = 2.81022636e-08f, q = -0.000200214257f;
    p = p * a + 3.43273939e-07f;
    p = p * a - 3.5233877e-06f;
    p = p * a - 4.39150654e-06f;
    p = p * a + 0.00021858087f;
    p = p * a - 0.00125372503f;
    p = p * a - 0.00417768164f;
    p = p * a + 0.246640727f;
    p = p * a + 1.50140941f;
    q = q * b + 0.000100950558f;
    q = q * b + 0.00134934322f;
    q = q * b - 0.00367342844f;
    q = q * b + 0.00573950773f;
    q = q * b - 0.0076224613f;
    q = q * b + 0.00943887047f;
    q = q * b + 1.00167406f;
    q = q * b + 2.83297682f;
    return 1.41421356237f * x * (w < 5 ? p : q);
}

/// `count` normal numbers, those from `first` on of a key.
ACUITY_WHOLE_CLONES void normals(uint64_t key, int64_t first, int64_t count, float *out) {
    const uint32_t a = static_cast<uint32_t>(key), b = static_cast<uint32_t>(key >> 32), start = static_cast<uint32_t>(first);
    for (int64_t i = 0; i < count; i++)
        out[i] = normalOf(scrambled(scrambled((start + static_cast<uint32_t>(i)) * 0x9E3779B9u + a) ^ b));
}

// Noise.

const int64_t noiseBlock = 512;

/// Adds `mixing · n` to a picture of three planes of `count` pixels; `keys` begin three sequences of normal numbers.
ACUITY_CLONES void addMixedNoise(const float *__restrict in, int64_t count, const float *mixing, const uint64_t *keys, float *__restrict out) {
    float noise[3][noiseBlock];
    bool isUsed[3];
    for (int j = 0; j < 3; j++) isUsed[j] = mixing[j] != 0 || mixing[3 + j] != 0 || mixing[6 + j] != 0;
    for (int64_t first = 0; first < count; first += noiseBlock) {
        const int64_t size = std::min(noiseBlock, count - first);
        for (int j = 0; j < 3; j++)
            if (isUsed[j]) normals(keys[j], first, size, noise[j]);
        for (int c = 0; c < 3; c++) {
            const float *from = in + c * count + first;
            float *to = out + c * count + first;
            for (int64_t i = 0; i < size; i++) to[i] = from[i];
            for (int j = 0; j < 3; j++) {
                const float factor = mixing[c * 3 + j];
                if (factor == 0) continue;
                for (int64_t i = 0; i < size; i++) to[i] += factor * noise[j][i];
            }
        }
    }
}

/// The nearest of 256 levels. Limits apply to the whole number: of that compilers make vectors.
ACUITY_INLINE int32_t level(float x) { return std::min(255, std::max(0, static_cast<int32_t>(x * 255 + 0.5f))); }

/// The power of two not below the number of different 8-bit values.
float countedLevels(const float *in, int64_t count) {
    unsigned char seen[256] = {};
    for (int64_t i = 0; i < count; i++) seen[level(in[i])] = 1;
    const int values = std::accumulate(seen, seen + 256, 0);
    int power = 1;
    while (power < values) power *= 2;
    return static_cast<float>(power);
}

/// What Poisson's noise of `levels` times the 8-bit picture adds, times `scale`, to `out`.
/// Quantiles by Cornish and Fisher's expansion, rounded; see `poisson`.
ACUITY_WHOLE_CLONES void addPoissonNoise(const float *__restrict in, int64_t count, float levels, float scale, uint64_t key, float *const *out, int64_t planes) {
    float noise[noiseBlock];
    const float per = 1 / levels;
    for (int64_t first = 0; first < count; first += noiseBlock) {
        const int64_t size = std::min(noiseBlock, count - first);
        normals(key, first, size, noise);
        for (int64_t i = 0; i < size; i++) {
            const int32_t whole = level(in[first + i]);
            const float value = whole * (1.0f / 255), rate = value * levels, z = noise[i];
            const int32_t photons = std::max(0, static_cast<int32_t>(rate + z * std::sqrt(rate) + (z * z - 1) * (1.0f / 6) + 0.5f));
            noise[i] = scale * (photons * std::min(1, whole) * per - value);
        }
        for (int64_t p = 0; p < planes; p++) {
            float *to = out[p] + first;
            for (int64_t i = 0; i < size; i++) to[i] += noise[i];
        }
    }
}

/// Noise of variance shot · x + read².
ACUITY_CLONES void addSensorNoise(const float *__restrict in, int64_t count, float shot, float read, uint64_t key, float *__restrict out) {
    for (int64_t first = 0; first < count; first += noiseBlock) {
        const int64_t size = std::min(noiseBlock, count - first);
        normals(key, first, size, out + first);
        for (int64_t i = first; i < first + size; i++) out[i] = in[i] + out[i] * std::sqrt(read * read + shot * 0.5f * (in[i] + std::abs(in[i])));
    }
}

// sRGB's transfer curve.

/// 1 where a ≤ b, else 0: a weighted sum of two sides is what compilers make vectors of, a choice between them is not.
ACUITY_INLINE float isAtMost(float a, float b) { return static_cast<float>(a <= b); }

/// From sRGB's curve to linear light.
ACUITY_WHOLE_CLONES void toLinear(const float *__restrict in, int64_t count, float *__restrict out) {
    for (int64_t i = 0; i < count; i++) {
        const float positive = in[i] > 0 ? in[i] : 0, v = positive < 1 ? positive : 1, isLow = isAtMost(v, 0.04045f);
        const float curve = powerOfTwo(2.4f * 1.44269504f * logarithm((v + 0.055f) * (1 / 1.055f)));
        out[i] = isLow * (v * (1 / 12.92f)) + (1 - isLow) * curve;
    }
}

/// And back.
ACUITY_WHOLE_CLONES void fromLinear(const float *__restrict in, int64_t count, float *__restrict out) {
    for (int64_t i = 0; i < count; i++) {
        const float positive = in[i] > 0 ? in[i] : 0, v = positive < 1 ? positive : 1, isLow = isAtMost(v, 0.0031308f);
        const float curve = 1.055f * powerOfTwo(1.44269504f / 2.4f * logarithm(v > 0.001f ? v : 0.001f)) - 0.055f;
        out[i] = isLow * (v * 12.92f) + (1 - isLow) * curve;
    }
}

// Palettes.

/// For each of `count` pixels (a multiple of a vector; three planes `stride` apart) the nearest of k colours: |p − c|² without
/// the term that is the same for all.
ACUITY_WHOLE_CLONES void nearestColours(const float *pixels, int64_t stride, int64_t count, const float (*colours)[3], int64_t k, int32_t *chosen) {
    for (int64_t i = 0; i < count; i += lanes) {
        const Lanes r = *reinterpret_cast<const Lanes *>(pixels + i), g = *reinterpret_cast<const Lanes *>(pixels + stride + i);
        const Lanes b = *reinterpret_cast<const Lanes *>(pixels + 2 * stride + i);
        Lanes least = Lanes{} + 1e30f;
        Numbers place = Numbers{};
        for (int64_t c = 0; c < k; c++) {
            const float *colour = colours[c];
            const float size = 0.5f * (colour[0] * colour[0] + colour[1] * colour[1] + colour[2] * colour[2]);
            const Lanes distance = size - colour[0] * r - colour[1] * g - colour[2] * b;
            const auto isNearer = distance < least;
            least = isNearer ? distance : least;
            place = isNearer ? Numbers{} + static_cast<int32_t>(c) : place;
        }
        *reinterpret_cast<Numbers *>(chosen + i) = place;
    }
}

/// A picture (three planes of `count` pixels) in at most `colours` colours of its own: six rounds of k-means over at most 4096
/// pixels, rounded to 8 bits. `dither` is a matrix of 8×8 that is added to pixels before they choose, or null.
void reduceColours(const float *in, int64_t height, int64_t width, int64_t colours, const float *dither, uint64_t seed, float *out) {
    const int64_t count = height * width, taken = std::min<int64_t>(4096, count), k = std::min(colours, count);
    const int64_t stride = (count + lanes - 1) / lanes * lanes, sampleStride = (taken + lanes - 1) / lanes * lanes;
    // The first of a random order.
    std::vector<int32_t> order(count), chosen(stride);
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = 0; i < taken; i++) std::swap(order[i], order[i + key(seed, i) % (count - i)]);
    std::vector<float> sample(3 * sampleStride);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < taken; i++) sample[c * sampleStride + i] = in[c * count + order[i]];
    float centres[256][3];
    for (int64_t i = 0; i < k; i++)
        for (int c = 0; c < 3; c++) centres[i][c] = sample[c * sampleStride + i];
    for (int iteration = 0; iteration < 6; iteration++) {
        nearestColours(sample.data(), sampleStride, sampleStride, centres, k, chosen.data());
        double sums[256][4] = {};
        for (int64_t i = 0; i < taken; i++) {
            double *sum = sums[chosen[i]];
            for (int c = 0; c < 3; c++) sum[c] += sample[c * sampleStride + i];
            sum[3]++;
        }
        for (int64_t i = 0; i < k; i++)
            if (sums[i][3] > 0)  // a colour without pixels stays where it is
                for (int c = 0; c < 3; c++) centres[i][c] = static_cast<float>(sums[i][c] / sums[i][3]);
    }
    for (int64_t i = 0; i < k; i++)
        for (int c = 0; c < 3; c++) centres[i][c] = level(centres[i][c]) / 255.0f;
    std::vector<float> pixels(3 * stride);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++)
                pixels[c * stride + y * width + x] = in[(c * height + y) * width + x] + (dither ? dither[y % 8 * 8 + x % 8] : 0);
    nearestColours(pixels.data(), stride, stride, centres, k, chosen.data());
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < count; i++) out[c * count + i] = centres[chosen[i]][c];
}

}  // namespace
