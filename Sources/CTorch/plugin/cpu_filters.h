// Filters on a processor: correlation with small kernels, which come apart into sums of few separable ones where they can.
//
// libtorch's own grouped convolution takes ten times as long. The loops are written so that compilers turn them into
// vectors; nothing here knows of tensors.
#pragma once

#include "cpu_threads.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#define ACUITY_CLONES __attribute__((target_clones("avx512f", "fma", "default")))
/// For loops over whole numbers, whose vectors "fma" does not bring along.
#define ACUITY_WHOLE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ACUITY_CLONES
#define ACUITY_WHOLE_CLONES
#endif
#define ACUITY_INLINE inline __attribute__((always_inline))

namespace {

typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t Numbers __attribute__((vector_size(64), aligned(4), may_alias));
const int64_t lanes = 16;

/// A kernel's inner rectangle, and where it can be had cheaper as a sum of `terms` products of a column and a row.
struct Filter {
    int64_t height = 1, width = 1;
    /// 0: not separated.
    int64_t terms = 0;
    /// height × width.
    std::vector<float> dense;
    /// terms × height, terms × width.
    std::vector<float> columns, rows;
};

/// What a kernel's values may be off by, summed up: no pixel between 0 and 1 changes by more, a hundredth of an 8-bit level.
const double negligible = 4e-5;

/// Leaves out a margin that does not matter and takes the rest apart by Gaussian elimination with complete pivoting, as far
/// as that saves work.
Filter analysed(const float *kernel, int64_t kh, int64_t kw) {
    // By reach: the sum of absolute values of the rows (columns) at that distance from the middle.
    auto reach = [&](int64_t side, bool isRow) {
        double left = negligible / 4;
        int64_t reach = side / 2;
        for (; reach > 0; reach--) {
            double ring = 0;
            for (int64_t at : {side / 2 - reach, side / 2 + reach})
                for (int64_t i = 0; i < (isRow ? kw : kh); i++) ring += std::abs(isRow ? kernel[at * kw + i] : kernel[i * kw + at]);
            if (ring > left) break;
            left -= ring;
        }
        return reach;
    };
    const int64_t ry = reach(kh, true), rx = reach(kw, false);
    Filter result;
    result.height = 2 * ry + 1;
    result.width = 2 * rx + 1;
    for (int64_t y = kh / 2 - ry; y <= kh / 2 + ry; y++)
        result.dense.insert(result.dense.end(), kernel + y * kw + kw / 2 - rx, kernel + y * kw + kw / 2 + rx + 1);

    const int64_t h = result.height, w = result.width;
    if (h == 1 || w == 1) return result;
    const int64_t most = (h * w) / (h + w);
    std::vector<double> rest(result.dense.begin(), result.dense.end());
    for (int64_t terms = 0; terms <= most; terms++) {
        double sum = 0, pivot = 0;
        int64_t py = 0, px = 0;
        for (int64_t i = 0; i < h * w; i++) {
            const double size = std::abs(rest[i]);
            sum += size;
            if (size > pivot) pivot = size, py = i / w, px = i % w;
        }
        if (sum <= negligible / 2) {
            result.terms = terms;
            return result;
        }
        if (terms == most) break;
        std::vector<double> column(h), row(w);
        for (int64_t y = 0; y < h; y++) column[y] = rest[y * w + px];
        for (int64_t x = 0; x < w; x++) row[x] = rest[py * w + x] / rest[py * w + px];
        for (int64_t y = 0; y < h; y++)
            for (int64_t x = 0; x < w; x++) rest[y * w + x] -= column[y] * row[x];
        result.columns.insert(result.columns.end(), column.begin(), column.end());
        result.rows.insert(result.rows.end(), row.begin(), row.end());
    }
    return result;
}

/// The positions 0…count − 1 with `margin` more on both sides: mirrored without the edge, or repeating it where there is not enough.
ACUITY_INLINE int64_t bordered(int64_t i, int64_t count, bool isMirrored) {
    if (!isMirrored) return std::min(count - 1, std::max<int64_t>(0, i));
    return i < 0 ? -i : i >= count ? 2 * count - 2 - i : i;
}

/// Memory for rows of whole vectors, which begin where a vector does, and room to read some vectors past the end.
class Rows {
  public:
    float *of(int64_t count) {
        values.resize(count + 9 * lanes);
        const uintptr_t bytes = lanes * sizeof(float), begin = reinterpret_cast<uintptr_t>(values.data());
        return reinterpret_cast<float *>((begin + bytes - 1) / bytes * bytes);
    }

  private:
    std::vector<float> values;
};

/// A plane with its borders around it, rows a multiple of a vector apart.
struct Padded {
    Rows memory;
    float *values = nullptr;
    int64_t stride = 0;

    void fill(const float *in, int64_t h, int64_t w, int64_t py, int64_t px, bool isMirrored) {
        stride = (w + 2 * px + lanes - 1) / lanes * lanes;
        values = memory.of((h + 2 * py) * stride);
        for (int64_t y = -py; y < h + py; y++) {
            const float *row = in + bordered(y, h, isMirrored) * w;
            float *to = values + (y + py) * stride;
            for (int64_t x = 0; x < px; x++) to[x] = row[bordered(x - px, w, isMirrored)];
            std::copy(row, row + w, to + px);
            for (int64_t x = w; x < w + px; x++) to[px + x] = row[bordered(x, w, isMirrored)];
        }
    }
};

/// Every x of blocks of at most V vectors that cover a row of some vectors; the last overlaps the one before.
template <int V, typename Body>
ACUITY_INLINE void inBlocks(int64_t width, Body body) {
    if constexpr (V > 1) {
        if (width < V * lanes) return inBlocks<V / 2>(width, body);
    }
    for (int64_t x = 0; x < width; x += V * lanes) body(std::integral_constant<int, V>(), std::min(x, width - V * lanes));
}

/// `count` vectors of R sums along columns: out[r][x] = Σ kernel[r][i] · in[i][x].
template <int R, int V>
ACUITY_INLINE void alongColumns(const float *in, int64_t stride, const float *kernels, int64_t taps, float *out, int64_t outStride) {
    Lanes sums[R][V];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) sums[r][v] = Lanes{};
    for (int64_t i = 0; i < taps; i++)
        for (int v = 0; v < V; v++) {
            const Lanes value = *reinterpret_cast<const Lanes *>(in + i * stride + v * lanes);
            for (int r = 0; r < R; r++) sums[r][v] += kernels[r * taps + i] * value;
        }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) *reinterpret_cast<Lanes *>(out + r * outStride + v * lanes) = sums[r][v];
}

/// V vectors of out[x] = Σ Σ kernel[i][j] · in[i][x + j].
template <int V>
ACUITY_INLINE void window(const float *in, int64_t stride, const float *kernel, int64_t kh, int64_t kw, float *out) {
    Lanes sums[V];
    for (int v = 0; v < V; v++) sums[v] = Lanes{};
    for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++)
            for (int v = 0; v < V; v++) sums[v] += kernel[i * kw + j] * *reinterpret_cast<const Lanes *>(in + i * stride + j + v * lanes);
    for (int v = 0; v < V; v++) *reinterpret_cast<Lanes *>(out + v * lanes) = sums[v];
}

/// The same for two rows of the output, which share what was read.
template <int V>
ACUITY_INLINE void windows(const float *in, int64_t stride, const float *kernel, int64_t kh, int64_t kw, float *out, int64_t outStride) {
    Lanes upper[V], lower[V];
    for (int v = 0; v < V; v++) upper[v] = lower[v] = Lanes{};
    for (int64_t i = 0; i <= kh; i++)
        for (int64_t j = 0; j < kw; j++) {
            const float a = i < kh ? kernel[i * kw + j] : 0, b = i > 0 ? kernel[(i - 1) * kw + j] : 0;
            for (int v = 0; v < V; v++) {
                const Lanes value = *reinterpret_cast<const Lanes *>(in + i * stride + j + v * lanes);
                upper[v] += a * value;
                lower[v] += b * value;
            }
        }
    for (int v = 0; v < V; v++) {
        *reinterpret_cast<Lanes *>(out + v * lanes) = upper[v];
        *reinterpret_cast<Lanes *>(out + outStride + v * lanes) = lower[v];
    }
}

/// Rows that are filtered together.
const int64_t band = 8;

/// A padded plane through a filter. `scratch` holds band · terms rows; `stairs` is the
/// column of a filter of one term four times, each time a row further down. Rows of `out` lie `outStride` apart, a multiple of a vector not below w.
ACUITY_CLONES void filtered(const float *in, int64_t stride, const Filter &filter, const float *stairs, float *scratch, float *out, int64_t outStride,
                            int64_t h) {
    const int64_t kh = filter.height, kw = filter.width, terms = filter.terms;
    if (terms == 0) {
        const float *kernel = filter.dense.data();
        int64_t y = 0;
        for (; kh > 1 && y + 1 < h; y += 2)
            inBlocks<4>(outStride, [&](auto v, int64_t x) { windows<v()>(in + y * stride + x, stride, kernel, kh, kw, out + y * outStride + x, outStride); });
        for (; y < h; y++)
            inBlocks<8>(outStride, [&](auto v, int64_t x) { window<v()>(in + y * stride + x, stride, kernel, kh, kw, out + y * outStride + x); });
        return;
    }
    for (int64_t first = 0; first < h; first += band) {
        const int64_t rows = std::min(band, h - first);
        if (terms == 1 && rows == band) {
            inBlocks<2>(stride, [&](auto v, int64_t x) {
                for (int64_t y = 0; y < band; y += 4)
                    alongColumns<4, v()>(in + (first + y) * stride + x, stride, stairs, kh + 3, scratch + y * stride + x, stride);
            });
        }
        for (int64_t r = terms == 1 && rows == band ? 1 : 0; r < terms;) {
            const float *column = filter.columns.data() + r * kh;
            // A block of all rows before the next: what it reads stays in the nearest cache.
            auto sums = [&](auto together, auto v, int64_t x) {
                for (int64_t y = 0; y < rows; y++)
                    alongColumns<together(), v()>(in + (first + y) * stride + x, stride, column, kh, scratch + (y * terms + r) * stride + x, stride);
            };
            if (terms - r >= 4) {
                inBlocks<2>(stride, [&](auto v, int64_t x) { sums(std::integral_constant<int, 4>(), v, x); });
                r += 4;
            } else if (terms - r >= 2) {
                inBlocks<4>(stride, [&](auto v, int64_t x) { sums(std::integral_constant<int, 2>(), v, x); });
                r += 2;
            } else {
                inBlocks<8>(stride, [&](auto v, int64_t x) { sums(std::integral_constant<int, 1>(), v, x); });
                r += 1;
            }
        }
        for (int64_t y = 0; y < rows; y++)
            inBlocks<8>(outStride, [&](auto v, int64_t x) {
                window<v()>(scratch + y * terms * stride + x, stride, filter.rows.data(), terms, kw, out + (first + y) * outStride + x);
            });
    }
}

/// Filters planes one after another; keeps its memory.
class PlaneFilter {
  public:
    /// h × w at `in` to rows `stride()` apart, which stay valid until the next call.
    const float *operator()(const float *in, int64_t h, int64_t w, const Filter &filter, bool isMirrored) {
        padded.fill(in, h, w, filter.height / 2, filter.width / 2, isMirrored);
        outStride = (w + lanes - 1) / lanes * lanes;
        float *out = result.of(h * outStride);
        const int64_t kh = filter.height;
        stairs.assign(4 * (kh + 3), 0);
        for (int64_t r = 0; r < 4 && filter.terms == 1; r++) std::copy(filter.columns.begin(), filter.columns.end(), &stairs[r * (kh + 4)]);
        filtered(padded.values, padded.stride, filter, stairs.data(), scratch.of(band * filter.terms * padded.stride), out, outStride, h);
        return out;
    }

    int64_t stride() const { return outStride; }

  private:
    Padded padded;
    Rows scratch, result;
    std::vector<float> stairs;
    int64_t outStride = 0;
};

/// x + weight · (x − soft), clipped; where masked, only as far as details above the threshold are near.
ACUITY_CLONES void sharpenRow(const float *in, const float *residual, const float *mask, float weight, int64_t w, float *out) {
    for (int64_t x = 0; x < w; x++) {
        const float sharp = in[x] + weight * residual[x], kept = sharp < 0 ? 0 : sharp > 1 ? 1 : sharp;
        out[x] = mask ? in[x] + mask[x] * (kept - in[x]) : kept;
    }
}

struct UnsharpMemory {
    PlaneFilter filter;
    std::vector<float> residual, exceeds;
};

/// Unsharp masking of a plane.
void unsharpPlane(const float *in, int64_t h, int64_t w, const Filter &soft, bool isMirrored, float weight, float threshold, bool isMasked,
                  UnsharpMemory &memory, float *out) {
    auto &[filter, residual, exceeds] = memory;
    residual.resize(h * w);
    const float *rows = filter(in, h, w, soft, isMirrored);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) residual[y * w + x] = in[y * w + x] - rows[y * filter.stride() + x];
    if (isMasked) {
        exceeds.resize(h * w);
        for (int64_t i = 0; i < h * w; i++) exceeds[i] = std::abs(residual[i]) > threshold ? 1.0f : 0.0f;
        rows = filter(exceeds.data(), h, w, soft, isMirrored);
    }
    for (int64_t y = 0; y < h; y++)
        sharpenRow(in + y * w, &residual[y * w], isMasked ? rows + y * filter.stride() : nullptr, weight, w, out + y * w);
}

}  // namespace
