// Cameras and files: JPEG, sensors, lenses, palettes.
#pragma once

#include "cpu_jpeg.h"
#include "cpu_pixels.h"
#include "cpu_resize.h"
#include "degradation_support.h"

namespace {

// JPEG.

/// The tables of ITU-T T.81 annex K.
const int luminanceTable[64] = {16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57,
                                69, 56, 14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64,
                                81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
const int chrominanceTable[64] = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
                                  99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/// Tables as libjpeg scales them for each quality.
std::vector<float> tables(const int (&table)[64], const int32_t *quality, int64_t n) {
    std::vector<float> values;
    for (int64_t i = 0; i < n; i++) {
        const int q = std::min(100, std::max(1, quality[i])), scale = q < 50 ? 5000 / q : 200 - 2 * q;
        for (int entry : table) values.push_back(static_cast<float>(std::min(255, std::max(1, (entry * scale + 50) / 100))));
    }
    return values;
}

/// Planes N×C×H×W (0…255, whole blocks) through the quantised cosine transform and back to 8 bits.
at::Tensor codedBlocks(const at::Tensor &planes, const at::Tensor &quantisation, const at::Tensor &dct) {
    const int64_t n = planes.size(0), c = planes.size(1), h = planes.size(2), w = planes.size(3);
    auto rows = at::matmul(dct, planes.sub(128).reshape({n * c * h / 8, 8, w}));       // along y
    auto blocks = at::matmul(rows.view({-1, 8}), dct.t()).view({n, c, h / 8, 8, w / 8, 8});  // along x
    blocks.div_(quantisation).round_().mul_(quantisation);
    rows = at::matmul(blocks.view({-1, 8}), dct).view({n * c * h / 8, 8, w});
    return at::matmul(dct.t(), rows).view({n, c, h, w}).add_(128.5).floor_().clamp_(0, 255);
}

AcuityStatus jpeg(const AcuityTensor *x, const int32_t *quality, int32_t subsampled, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        requireImage(image);
        const int64_t n = image.size(0), h = image.size(2), w = image.size(3), unit = subsampled ? 16 : 8;
        const auto luminance = tables(luminanceTable, quality, n), chrominance = tables(chrominanceTable, quality, n);
        if (!image.is_cuda()) {
            auto from = planar(image), result = at::empty(from.sizes(), from.options());
            inParallel(n, [&](int64_t i) {
                codePicture(from.data_ptr<float>() + i * 3 * h * w, h, w, &luminance[i * 64], &chrominance[i * 64], subsampled != 0,
                            result.data_ptr<float>() + i * 3 * h * w);
            });
            return result;
        }
        float cosines[64];
        for (int u = 0; u < 8; u++)
            for (int v = 0; v < 8; v++)
                cosines[u * 8 + v] = static_cast<float>((u == 0 ? std::sqrt(0.125) : 0.5) * std::cos((2 * v + 1) * u * M_PI / 16));
        const float forward[9] = {.299f, .587f, .114f, -.168735892f, -.331264108f, .5f, .5f, -.418687589f, -.081312411f};
        const float back[9] = {1, 0, 1.402f, 1, -.344136286f, -.714136286f, 1, 1.772f, 0};
        const float centre[3] = {0, 128, 128};
        auto dct = upload(cosines, {8, 8}, image), offset = upload(centre, {1, 3, 1}, image);

        auto rgb = image.clamp(0, 1).mul_(255).add_(0.5).floor_();
        rgb = at::replication_pad2d(rgb, {0, (unit - w % unit) % unit, 0, (unit - h % unit) % unit});
        const int64_t H = rgb.size(2), W = rgb.size(3);
        // libjpeg rounds at every stage: colour, chroma, samples, colour.
        auto ycc = at::matmul(upload(forward, {3, 3}, image), rgb.reshape({n, 3, H * W})).add_(offset).add_(0.5).floor_().view({n, 3, H, W});
        auto luma = ycc.narrow(1, 0, 1), chroma = ycc.narrow(1, 1, 2);
        if (subsampled) {
            // The bias alternates between 1 and 2 quarters along a row, so that rounding has no direction.
            auto bias = at::arange(W / 2, image.options()).remainder_(2).add_(1).div_(4);
            chroma = at::avg_pool2d(chroma, {2, 2}).add_(bias).floor_();
        }
        luma = codedBlocks(luma, upload(luminance.data(), {n, 1, 1, 8, 1, 8}, image), dct);
        chroma = codedBlocks(chroma, upload(chrominance.data(), {n, 1, 1, 8, 1, 8}, image), dct);
        if (subsampled) chroma = at::upsample_bilinear2d(chroma, {H, W}, false).add_(0.5).floor_();
        auto decoded = at::cat({luma, chroma}, 1).view({n, 3, H * W}).sub_(offset);
        auto result = at::matmul(upload(back, {3, 3}, image), decoded).add_(0.5).floor_().clamp_(0, 255).div_(255).view({n, 3, H, W});
        return result.narrow(2, 0, h).narrow(3, 0, w).contiguous();
    });
}

// Cameras.

AcuityStatus linearise(const AcuityTensor *x, int32_t back, AcuityResult out, char *error) {
    return make(out, error, [&] {
        if (!x->value.is_cuda()) {
            // The order of values in memory, whatever it is, stays.
            auto from = x->value.to(at::kFloat);
            if (!from.is_non_overlapping_and_dense()) from = from.contiguous();
            auto result = at::empty_like(from);
            const int64_t count = from.numel(), part = 16384;
            inParallel((count + part - 1) / part, [&](int64_t i) {
                const float *in = from.data_ptr<float>() + i * part;
                float *out = result.data_ptr<float>() + i * part;
                (back ? fromLinear : toLinear)(in, std::min(part, count - i * part), out);
            });
            return result;
        }
        auto v = x->value.clamp(0, 1);
        return back ? at::where(v.le(0.0031308), v.mul(12.92), v.pow(1 / 2.4).mul_(1.055).sub_(0.055))
                    : at::where(v.le(0.04045), v.div(12.92), v.add(0.055).div_(1.055).pow_(2.4));
    });
}

/// Every other pixel of both axes.
at::Tensor lattice(const at::Tensor &x, int64_t y, int64_t x0) {
    return x.slice(2, y, x.size(2), 2).slice(3, x0, x.size(3), 2);
}

AcuityStatus mosaic(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        requireImage(image);
        auto result = image.narrow(1, 1, 1).clone();
        lattice(result, 0, 0).copy_(lattice(image.narrow(1, 0, 1), 0, 0));
        lattice(result, 1, 1).copy_(lattice(image.narrow(1, 2, 1), 1, 1));
        return result;
    });
}

AcuityStatus demosaic(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &raw = x->value;
        requireImage(raw, 1);
        // Green at red and blue; red (blue) at green between two of them in the row; in the column; red at blue and back. In sixteenths.
        const float filters[4][25] = {
            {0, 0, -2, 0, 0, 0, 0, 4, 0, 0, -2, 4, 8, 4, -2, 0, 0, 4, 0, 0, 0, 0, -2, 0, 0},
            {0, 0, 1, 0, 0, 0, -2, 0, -2, 0, -2, 8, 10, 8, -2, 0, -2, 0, -2, 0, 0, 0, 1, 0, 0},
            {0, 0, -2, 0, 0, 0, -2, 8, -2, 0, 1, 0, 10, 0, 1, 0, -2, 8, -2, 0, 0, 0, -2, 0, 0},
            {0, 0, -3, 0, 0, 0, 4, 0, 4, 0, -3, 0, 12, 0, -3, 0, 4, 0, 4, 0, 0, 0, -3, 0, 0},
        };
        auto kernels = upload(filters[0], {4, 1, 5, 5}, raw).div_(16);
        auto made = at::conv2d(mirrored(raw, 2, 2), kernels);  // mirroring without the edge keeps the mosaic's phase
        auto green = made.narrow(1, 0, 1), row = made.narrow(1, 1, 1), column = made.narrow(1, 2, 1), cross = made.narrow(1, 3, 1);
        auto result = at::empty({raw.size(0), 3, raw.size(2), raw.size(3)}, raw.options());
        auto put = [&](int64_t y, int64_t x0, const at::Tensor &r, const at::Tensor &g, const at::Tensor &b) {
            lattice(result.narrow(1, 0, 1), y, x0).copy_(lattice(r, y, x0));
            lattice(result.narrow(1, 1, 1), y, x0).copy_(lattice(g, y, x0));
            lattice(result.narrow(1, 2, 1), y, x0).copy_(lattice(b, y, x0));
        };
        put(0, 0, raw, green, cross);
        put(0, 1, row, raw, column);
        put(1, 0, column, raw, row);
        put(1, 1, cross, green, raw);
        return result;
    });
}

AcuityStatus gains(const AcuityTensor *x, const float *factors, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::mul(x->value, upload(factors, {x->value.size(0), x->value.size(1), 1, 1}, x->value)); });
}

AcuityStatus magnify(const AcuityTensor *x, const float *factors, const float *centre, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        const int64_t n = image.size(0), c = image.size(1), h = image.size(2), w = image.size(3);
        if (!image.is_cuda()) {
            auto from = planar(image), result = at::empty(from.sizes(), from.options());
            inParallel(n * c, [&](int64_t i) {
                const double step = 1.0 / factors[i];
                // Pixels at −1…1 about the centre, back to places.
                auto taps = [&](int64_t side, double middle) {
                    return cubicTaps(side, side, ((1.0 / side - 1 - middle) * step + middle + 1) * side / 2 - 0.5, step);
                };
                const float *plane = from.data_ptr<float>() + i * h * w;
                float *to = result.data_ptr<float>() + i * h * w;
                if (factors[i] == 1) {
                    std::copy(plane, plane + h * w, to);
                } else {
                    resampled(plane, h, w, taps(h, centre[i / c * 2 + 1]), taps(w, centre[i / c * 2]), to);
                }
            });
            return result;
        }
        std::vector<float> theta;
        for (int64_t i = 0; i < n * c; i++) {
            const float step = 1 / factors[i], cx = centre[i / c * 2], cy = centre[i / c * 2 + 1];
            theta.insert(theta.end(), {step, 0, cx * (1 - step), 0, step, cy * (1 - step)});
        }
        auto grid = at::affine_grid_generator(upload(theta.data(), {n * c, 2, 3}, image), {n * c, 1, h, w}, false);
        const int64_t bicubic = 2, border = 1;
        return at::grid_sampler(image.reshape({n * c, 1, h, w}), grid, bicubic, border, false).view({n, c, h, w});
    });
}

AcuityStatus vignette(const AcuityTensor *x, const float *strength, const float *centre, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        const int64_t n = image.size(0), h = image.size(2), w = image.size(3);
        const double diagonal = std::sqrt(double(h * h + w * w));
        auto axis = [&](int64_t side, int64_t which, at::IntArrayRef shape) {
            std::vector<float> squares;
            for (int64_t i = 0; i < n; i++)
                for (int64_t p = 0; p < side; p++) {
                    const double d = ((2 * p + 1) - side * (1 + centre[i * 2 + which])) / diagonal;
                    squares.push_back(static_cast<float>(strength[i] * d * d));
                }
            return upload(squares.data(), shape, image);
        };
        auto fall = axis(h, 1, {n, 1, h, 1}).add(1).add(axis(w, 0, {n, 1, 1, w}));
        return at::div(image, fall.square_());
    });
}

// Palettes.

at::Tensor nearestColour(const at::Tensor &pixels, const at::Tensor &palette) {
    // |p − c|² without the term that is the same for all colours.
    return at::baddbmm(palette.square().sum(2).unsqueeze(1), pixels, palette.transpose(1, 2), 1, -2).argmin(2);
}

AcuityStatus palette(const AcuityTensor *x, int64_t colours, double dither, uint64_t seed, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        requireImage(image);
        TORCH_CHECK(colours >= 2 && colours <= 256, "a palette has 2 to 256 colours");
        const int64_t n = image.size(0), h = image.size(2), w = image.size(3), count = h * w;
        const int64_t k = std::min(colours, count);
        // Bayer's 8×8 matrix, −½…½, times the mean distance between neighbours in a palette of this size.
        float matrix[64];
        for (int y = 0; y < 8; y++)
            for (int u = 0; u < 8; u++) {
                int value = 0;
                for (int bit = 0; bit < 3; bit++) value |= (((y ^ u) >> bit & 1) << 1 | (y >> bit & 1)) << (2 * (2 - bit));
                matrix[y * 8 + u] = static_cast<float>(((value + 0.5) / 64 - 0.5) * dither / std::cbrt(double(k)));
            }
        if (!image.is_cuda()) {
            auto from = planar(image), result = at::empty(from.sizes(), from.options());
            inParallel(n, [&](int64_t i) {
                reduceColours(from.data_ptr<float>() + i * 3 * count, h, w, k, dither > 0 ? matrix : nullptr, key(seed, i),
                              result.data_ptr<float>() + i * 3 * count);
            });
            return result;
        }
        auto pixels = image.permute({0, 2, 3, 1}).reshape({n, count, 3}).contiguous();
        const int64_t taken = std::min<int64_t>(4096, count);
        auto order = at::rand({count}, seeded(image, seed), image.options()).argsort();
        auto sample = pixels.index_select(1, order.narrow(0, 0, taken));
        auto centres = sample.narrow(1, 0, k).clone();
        auto numbers = at::arange(k, order.options());
        for (int iteration = 0; iteration < 6; iteration++) {
            auto member = nearestColour(sample, centres).unsqueeze(2).eq(numbers).to(at::kFloat);  // N×S×K
            auto sizes = member.sum(1).unsqueeze(2);
            // A colour without pixels stays where it is.
            centres = at::where(sizes.gt(0), at::bmm(member.transpose(1, 2), sample).div(sizes.clamp_min(1)), centres);
        }
        centres = centres.mul_(255).add_(0.5).floor_().clamp_(0, 255).div_(255);
        if (dither > 0) {
            auto tiled = upload(matrix, {8, 8}, image).repeat({(h + 7) / 8, (w + 7) / 8}).narrow(0, 0, h).narrow(1, 0, w);
            pixels = pixels + tiled.reshape({1, count, 1});
        }
        std::vector<at::Tensor> parts;
        for (int64_t first = 0; first < count; first += 16384) {
            auto part = pixels.narrow(1, first, std::min<int64_t>(16384, count - first));
            auto chosen = nearestColour(part, centres);
            parts.push_back(centres.gather(1, chosen.unsqueeze(2).expand({n, chosen.size(1), 3})));
        }
        return at::cat(parts, 1).view({n, h, w, 3}).permute({0, 3, 1, 2}).contiguous();
    });
}

}  // namespace
