// Resampling on a processor: weighted sums along columns and along rows, from a table of taps.
#pragma once

#include "cpu_filters.h"

namespace {

/// Which source pixels an axis of a resampled plane is made of: `most` places and weights per pixel, tap by tap.
struct Taps {
    int64_t count = 0, most = 0;
    std::vector<int32_t> places;
    std::vector<float> weights;

    Taps(int64_t count, int64_t most) : count(count), most(most), places(count * most), weights(count * most) {}

    void set(int64_t pixel, int64_t tap, int64_t place, double weight) {
        places[tap * count + pixel] = static_cast<int32_t>(place);
        weights[tap * count + pixel] = static_cast<float>(weight);
    }
};

double cubic(double t, double a) {
    t = std::abs(t);
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

Taps nearestTaps(int64_t from, int64_t to) {
    Taps taps(to, 1);
    const float scale = static_cast<float>(from) / to;  // as libtorch computes it
    for (int64_t i = 0; i < to; i++) taps.set(i, 0, std::min<int64_t>(from - 1, static_cast<int64_t>(std::floor((i + 0.5f) * scale))), 1);
    return taps;
}

/// Means over source intervals.
Taps areaTaps(int64_t from, int64_t to) {
    Taps taps(to, from / to + 2);
    for (int64_t i = 0; i < to; i++) {
        const int64_t first = i * from / to, last = ((i + 1) * from + to - 1) / to;
        for (int64_t j = first; j < last; j++) taps.set(i, j - first, j, 1.0 / (last - first));
    }
    return taps;
}

Taps linearTaps(int64_t from, int64_t to) {
    Taps taps(to, 2);
    for (int64_t i = 0; i < to; i++) {
        const double at = std::max(0.0, (i + 0.5) * from / to - 0.5);
        const int64_t base = static_cast<int64_t>(at);
        taps.set(i, 0, base, 1 - (at - base));
        taps.set(i, 1, std::min(from - 1, base + 1), at - base);
    }
    return taps;
}

/// Keys' kernel with a = −0.75 at `start + i · step`, places beyond the ends moved to them.
Taps cubicTaps(int64_t from, int64_t to, double start, double step) {
    Taps taps(to, 4);
    for (int64_t i = 0; i < to; i++) {
        const double at = start + i * step;
        const int64_t base = static_cast<int64_t>(std::floor(at));
        for (int64_t j = -1; j <= 2; j++) taps.set(i, j + 1, std::min(from - 1, std::max<int64_t>(0, base + j)), cubic(at - (base + j), -0.75));
    }
    return taps;
}

/// A kernel that widens as the picture shrinks, weights renormalised at the ends.
Taps antialiasedTaps(int64_t from, int64_t to, bool isCubic) {
    const double scale = static_cast<double>(from) / to, stretch = std::max(1.0, scale), reach = (isCubic ? 2 : 1) * stretch;
    Taps taps(to, static_cast<int64_t>(std::ceil(2 * reach)) + 1);
    for (int64_t i = 0; i < to; i++) {
        const double centre = scale * (i + 0.5);
        const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - reach + 0.5));
        const int64_t last = std::min(from, static_cast<int64_t>(centre + reach + 0.5));
        auto weight = [&](int64_t j) {
            const double t = (j - centre + 0.5) / stretch;
            return isCubic ? cubic(t, -0.5) : std::max(0.0, 1 - std::abs(t));
        };
        double sum = 0;
        for (int64_t j = first; j < last; j++) sum += weight(j);
        for (int64_t j = first; j < last; j++) taps.set(i, j - first, j, weight(j) / sum);
    }
    return taps;
}

/// One row resampled.
ACUITY_CLONES void alongRow(const float *__restrict in, const Taps &taps, float *__restrict out) {
    const int64_t count = taps.count;
    const int32_t *places = taps.places.data();
    const float *weights = taps.weights.data();
    for (int64_t x = 0; x < count; x++) out[x] = weights[x] * in[places[x]];
    for (int64_t tap = 1; tap < taps.most; tap++) {
        places += count;
        weights += count;
        for (int64_t x = 0; x < count; x++) out[x] += weights[x] * in[places[x]];
    }
}

/// One row of the result, from whole rows of the source.
ACUITY_CLONES void fromRows(const float *__restrict in, int64_t width, const Taps &taps, int64_t row, float *__restrict out) {
    for (int64_t tap = 0; tap < taps.most; tap++) {
        const float weight = taps.weights[tap * taps.count + row];
        const float *from = in + taps.places[tap * taps.count + row] * width;
        if (tap == 0) {
            for (int64_t x = 0; x < width; x++) out[x] = weight * from[x];
        } else if (weight != 0) {
            for (int64_t x = 0; x < width; x++) out[x] += weight * from[x];
        }
    }
}

/// Resamples a plane of h × w pixels to rows.count × columns.count, along that axis first which leaves less.
void resampled(const float *in, int64_t h, int64_t w, const Taps &rows, const Taps &columns, float *out) {
    std::vector<float> between(std::max(w, h * columns.count));
    if (rows.count < h) {
        for (int64_t y = 0; y < rows.count; y++) {
            fromRows(in, w, rows, y, between.data());
            alongRow(between.data(), columns, out + y * columns.count);
        }
    } else {
        for (int64_t y = 0; y < h; y++) alongRow(in + y * w, columns, between.data() + y * columns.count);
        for (int64_t y = 0; y < rows.count; y++) fromRows(between.data(), columns.count, rows, y, out + y * columns.count);
    }
}

}  // namespace
