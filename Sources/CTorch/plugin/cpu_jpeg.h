// JPEG on a processor: what baseline coding leaves of a picture, block by block, with libjpeg's roundings.
#pragma once

#include "cpu_filters.h"

namespace {

/// Limits apply to the whole number: of that compilers make vectors.
ACUITY_INLINE float eightBits(float x) { return static_cast<float>(std::min(255, std::max(0, static_cast<int32_t>(x)))); }

/// Rows of the orthonormal cosine transform of 8 values.
struct Cosines {
    float rows[8][8];
    Cosines() {
        for (int u = 0; u < 8; u++)
            for (int v = 0; v < 8; v++)
                rows[u][v] = static_cast<float>((u == 0 ? std::sqrt(0.125) : 0.5) * std::cos((2 * v + 1) * u * M_PI / 16));
    }
};

/// Transforms along columns: 8 rows to 8 rows, `width` (a multiple of a vector) apart. Cosines are even or odd about the middle.
ACUITY_INLINE void transform(const float *in, const Cosines &dct, float *out, int64_t width, float shift) {
    for (int64_t x = 0; x < width; x += lanes) {
        Lanes even[4], odd[4];
        for (int v = 0; v < 4; v++) {
            const Lanes a = *reinterpret_cast<const Lanes *>(in + v * width + x), b = *reinterpret_cast<const Lanes *>(in + (7 - v) * width + x);
            even[v] = a + b - 2 * shift;
            odd[v] = a - b;
        }
        for (int u = 0; u < 8; u++) {
            const Lanes *half = u % 2 ? odd : even;
            *reinterpret_cast<Lanes *>(out + u * width + x) =
                dct.rows[u][0] * half[0] + dct.rows[u][1] * half[1] + dct.rows[u][2] * half[2] + dct.rows[u][3] * half[3];
        }
    }
}

ACUITY_INLINE void inverse(const float *in, const Cosines &dct, float *out, int64_t width) {
    for (int64_t x = 0; x < width; x += lanes) {
        Lanes values[8];
        for (int u = 0; u < 8; u++) values[u] = *reinterpret_cast<const Lanes *>(in + u * width + x);
        for (int v = 0; v < 4; v++) {
            const Lanes even = dct.rows[0][v] * values[0] + dct.rows[2][v] * values[2] + dct.rows[4][v] * values[4] + dct.rows[6][v] * values[6];
            const Lanes odd = dct.rows[1][v] * values[1] + dct.rows[3][v] * values[3] + dct.rows[5][v] * values[5] + dct.rows[7][v] * values[7];
            *reinterpret_cast<Lanes *>(out + v * width + x) = even + odd;
            *reinterpret_cast<Lanes *>(out + (7 - v) * width + x) = even - odd;
        }
    }
}

/// Each 8×8 block of a strip transposed.
ACUITY_INLINE void transpose(const float *in, float *out, int64_t width) {
    for (int64_t block = 0; block < width; block += 8)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) out[x * width + block + y] = in[y * width + block + x];
}

/// A plane (0…255, a multiple of 8 rows, of a vector's columns) through the quantised transform and back to 8 bits, in place.
/// `table` is the quantisation, rows of vertical frequencies; `scratch` holds 16 rows.
ACUITY_CLONES void codeBlocks(float *plane, int64_t height, int64_t width, const float *table, const Cosines &dct, float *scratch) {
    float *a = scratch, *b = scratch + 8 * width;
    float step[8][lanes], per[8][lanes];
    for (int k = 0; k < 8; k++)
        for (int64_t u = 0; u < lanes; u++) {
            step[k][u] = table[u % 8 * 8 + k];
            per[k][u] = 1 / step[k][u];
        }
    const float rounding = 12582912;  // 1.5 · 2²³: adding it rounds to whole numbers, halves to even
    for (int64_t y = 0; y < height; y += 8) {
        float *strip = plane + y * width;
        transform(strip, dct, a, width, 128);
        transpose(a, b, width);
        transform(b, dct, a, width, 0);
        for (int k = 0; k < 8; k++)
            for (int64_t x = 0; x < width; x += lanes) {
                Lanes *value = reinterpret_cast<Lanes *>(a + k * width + x);
                *value = (*value * *reinterpret_cast<const Lanes *>(per[k]) + rounding - rounding) * *reinterpret_cast<const Lanes *>(step[k]);
            }
        inverse(a, dct, b, width);
        transpose(b, a, width);
        inverse(a, dct, strip, width);
        for (int64_t i = 0; i < 8 * width; i++) strip[i] = eightBits(strip[i] + 128.5f);
    }
}

/// A row of RGB (0…1, planes `plane` apart) in 8-bit Y, Cb, Cr, the last pixel repeated up to `padded`.
ACUITY_WHOLE_CLONES void toYCC(const float *__restrict in, int64_t plane, int64_t width, int64_t padded, float *__restrict y, float *__restrict cb, float *__restrict cr) {
    for (int64_t x = 0; x < width; x++) {
        float rgb[3];
        for (int c = 0; c < 3; c++) {
            rgb[c] = eightBits(in[c * plane + x] * 255 + 0.5f);
        }
        y[x] = static_cast<float>(static_cast<int32_t>(.299f * rgb[0] + .587f * rgb[1] + .114f * rgb[2] + 0.5f));
        cb[x] = static_cast<float>(static_cast<int32_t>(-.168735892f * rgb[0] - .331264108f * rgb[1] + .5f * rgb[2] + 128.5f));
        cr[x] = static_cast<float>(static_cast<int32_t>(.5f * rgb[0] - .418687589f * rgb[1] - .081312411f * rgb[2] + 128.5f));
    }
    for (int64_t x = width; x < padded; x++) y[x] = y[width - 1], cb[x] = cb[width - 1], cr[x] = cr[width - 1];
}

ACUITY_WHOLE_CLONES void toRGB(const float *y, const float *cb, const float *cr, int64_t width, float *__restrict out, int64_t plane) {
    for (int64_t x = 0; x < width; x++) {
        const float b = cb[x] - 128, r = cr[x] - 128, l = y[x] + 0.5f;
        out[x] = eightBits(l + 1.402f * r) * (1.0f / 255);
        out[plane + x] = eightBits(l - .344136286f * b - .714136286f * r) * (1.0f / 255);
        out[2 * plane + x] = eightBits(l + 1.772f * b) * (1.0f / 255);
    }
}

/// Two rows of chroma to one of half the width; the bias alternates between 1 and 2 quarters, so that rounding has no direction.
ACUITY_WHOLE_CLONES void halveRows(const float *upper, const float *lower, int64_t half, float *__restrict out) {
    for (int64_t x = 0; x < half; x++) {
        const float sum = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1];
        out[x] = static_cast<float>(static_cast<int32_t>((sum + 1 + (x & 1)) * 0.25f));
    }
}

/// libjpeg's "fancy" upsampling: three quarters of the nearer, one of the farther, along both axes.
ACUITY_WHOLE_CLONES void doubleRow(const float *near, const float *far, int64_t half, float *__restrict between, float *__restrict out) {
    for (int64_t x = 0; x < half; x++) between[x] = 0.75f * near[x] + 0.25f * far[x];
    for (int64_t x = 0; x < half; x++) {
        const float left = between[x > 0 ? x - 1 : 0], right = between[x + 1 < half ? x + 1 : half - 1], middle = 0.75f * between[x] + 0.5f;
        out[2 * x] = static_cast<float>(static_cast<int32_t>(middle + 0.25f * left));
        out[2 * x + 1] = static_cast<float>(static_cast<int32_t>(middle + 0.25f * right));
    }
}

/// A picture of three planes through JPEG. `luminance` and `chrominance` are quantisation tables.
void codePicture(const float *in, int64_t height, int64_t width, const float *luminance, const float *chrominance, bool isSubsampled, float *out) {
    static const Cosines dct;
    const int64_t unit = isSubsampled ? 16 : 8;
    const int64_t h = (height + unit - 1) / unit * unit, w = (width + unit - 1) / unit * unit;
    const int64_t stride = (w + lanes - 1) / lanes * lanes;
    const int64_t ch = isSubsampled ? h / 2 : h, cw = isSubsampled ? w / 2 : w, chromaStride = (cw + lanes - 1) / lanes * lanes;
    thread_local std::vector<float> luma, chroma[2], rows, scratch;
    luma.resize(h * stride);
    scratch.resize(16 * stride);
    rows.resize(5 * stride);
    for (auto &plane : chroma) plane.resize(ch * chromaStride);

    for (int64_t y = 0; y < h; y++) {
        const float *from = in + std::min(y, height - 1) * width;
        if (!isSubsampled) {
            toYCC(from, height * width, width, w, &luma[y * stride], &chroma[0][y * chromaStride], &chroma[1][y * chromaStride]);
            continue;
        }
        float *cb = &rows[y % 2 * 2 * stride], *cr = cb + stride;
        toYCC(from, height * width, width, w, &luma[y * stride], cb, cr);
        if (y % 2)
            for (int c = 0; c < 2; c++) halveRows(&rows[c * stride], &rows[(2 + c) * stride], cw, &chroma[c][y / 2 * chromaStride]);
    }
    codeBlocks(luma.data(), h, stride, luminance, dct, scratch.data());
    for (auto &plane : chroma) codeBlocks(plane.data(), ch, chromaStride, chrominance, dct, scratch.data());
    for (int64_t y = 0; y < height; y++) {
        const float *cb = &chroma[0][y * chromaStride], *cr = &chroma[1][y * chromaStride];
        if (isSubsampled) {
            const int64_t near = y / 2, far = std::min(ch - 1, std::max<int64_t>(0, y % 2 ? near + 1 : near - 1));
            for (int c = 0; c < 2; c++)
                doubleRow(&chroma[c][near * chromaStride], &chroma[c][far * chromaStride], cw, &rows[4 * stride], &rows[c * stride]);
            cb = &rows[0];
            cr = &rows[stride];
        }
        toRGB(&luma[y * stride], cb, cr, width, out + y * width, height * width);
    }
}

}  // namespace
