// Degradation: what turns sharp pictures into the soft, noisy, compressed ones that a network learns from.
//
// On a GPU by ATen's operations, few and without waiting. On a processor those take several times as long as loops made for
// the purpose (every operation is a pass over memory and a new tensor), so there each step is one of the cpu_*.h.
#pragma once

#include "cpu_jpeg.h"
#include "cpu_pixels.h"
#include "cpu_resize.h"
#include "support.h"

namespace {

/// Numbers from the host on the device of `like`, without waiting for the device.
at::Tensor upload(const float *values, at::IntArrayRef shape, const at::Tensor &like) {
    auto options = at::TensorOptions().dtype(at::kFloat);
    auto host = at::empty(shape, like.is_cuda() ? options.pinned_memory(true) : options);
    if (host.numel() > 0) std::memcpy(host.data_ptr(), values, host.nbytes());
    return host.to(like.device(), /*non_blocking=*/true);
}

/// A generator of its own for every draw: what is drawn depends on the seed, not on what was drawn before.
at::Generator seeded(const at::Tensor &like, uint64_t seed) {
    auto result = at::globalContext().defaultGenerator(like.device()).clone();
    result.set_current_seed(seed);
    return result;
}

at::Tensor normal(at::IntArrayRef shape, const at::Tensor &like, uint64_t seed) {
    return at::randn(shape, seeded(like, seed), like.options());
}

void requireImage(const at::Tensor &x, int64_t channels = 3) {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == channels, "an image of ", channels, " channels is needed");
}

// Blur.

struct Nothing {};

/// Pictures or planes on as many threads as libtorch may use.
template <typename Body>
void inParallel(int64_t count, Body body) {
    inParallel<Nothing>(count, at::get_num_threads(), [&](int64_t i, Nothing &) { body(i); });
}

/// Planes one after another, on a processor.
at::Tensor planar(const at::Tensor &x) { return x.to(at::kFloat).contiguous(); }

at::Tensor mirrored(const at::Tensor &x, int64_t py, int64_t px) {
    if (py == 0 && px == 0) return x;
    return x.size(2) > py && x.size(3) > px ? at::reflection_pad2d(x, {px, px, py, py}) : at::replication_pad2d(x, {px, px, py, py});
}

at::Tensor blurred(const at::Tensor &image, const float *kernels, int64_t count, int64_t kh, int64_t kw) {
    const int64_t n = image.size(0), c = image.size(1), h = image.size(2), w = image.size(3), py = kh / 2, px = kw / 2;
    TORCH_CHECK(kh % 2 == 1 && kw % 2 == 1, "a kernel has odd sides");
    TORCH_CHECK(count == n || count == 1, count, " kernels for ", n, " pictures");
    if (image.is_cuda()) {
        auto x = mirrored(image.to(at::kFloat).contiguous(), py, px).contiguous();
        auto k = upload(kernels, {count, 1, kh, kw}, x).expand({n, 1, kh, kw}).repeat_interleave(c, 0);
        return at::conv2d(x.view({1, n * c, x.size(2), x.size(3)}), k, at::Tensor(), {1, 1}, at::IntArrayRef({0, 0}), {1, 1}, n * c).view({n, c, h, w});
    }
    auto x = planar(image), out = at::empty({n, c, h, w}, x.options());
    std::vector<Filter> filters;
    for (int64_t i = 0; i < count; i++) filters.push_back(analysed(kernels + i * kh * kw, kh, kw));
    const float *from = x.data_ptr<float>();
    float *to = out.data_ptr<float>();
    inParallel<PlaneFilter>(n * c, at::get_num_threads(), [&](int64_t i, PlaneFilter &apply) {
        const Filter &filter = filters[count == 1 ? 0 : i / c];
        const float *rows = apply(from + i * h * w, h, w, filter, h > py && w > px);
        for (int64_t y = 0; y < h; y++) std::copy(rows + y * apply.stride(), rows + y * apply.stride() + w, to + (i * h + y) * w);
    });
    return out;
}

AcuityStatus clamp(const AcuityTensor *x, double low, double high, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::clamp(x->value, low, high); });
}

AcuityStatus blur(const AcuityTensor *x, const float *kernels, int64_t count, int64_t height, int64_t width, AcuityResult out, char *error) {
    return make(out, error, [&] { return blurred(x->value, kernels, count, height, width); });
}

at::Tensor unsharpOnProcessor(const at::Tensor &x, const float *taps, int64_t count, const float *weight, double threshold, bool isMasked) {
    const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
    const bool isMirrored = h > count / 2 && w > count / 2;
    Filter soft;
    soft.height = soft.width = count;
    soft.terms = 1;
    soft.columns = soft.rows = std::vector<float>(taps, taps + count);
    auto out = at::empty(x.sizes(), x.options());
    inParallel<UnsharpMemory>(n * c, at::get_num_threads(), [&](int64_t i, UnsharpMemory &memory) {
        const float *from = x.data_ptr<float>() + i * h * w;
        unsharpPlane(from, h, w, soft, isMirrored, weight[i / c], static_cast<float>(threshold), isMasked, memory, out.data_ptr<float>() + i * h * w);
    });
    return out;
}

AcuityStatus unsharp(const AcuityTensor *x, const float *taps, int64_t count, const float *weight, double threshold, int32_t masked,
                     AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        if (!image.is_cuda()) return unsharpOnProcessor(planar(image), taps, count, weight, threshold, masked != 0);
        auto soften = [&](const at::Tensor &t) { return blurred(blurred(t, taps, 1, 1, count), taps, 1, count, 1); };
        auto residual = image - soften(image);
        auto sharp = at::addcmul(image, residual, upload(weight, {image.size(0), 1, 1, 1}, image)).clamp_(0, 1);
        if (!masked) return sharp;
        auto mask = soften(residual.abs_().gt(threshold).to(at::kFloat));
        return at::addcmul(image, sharp.sub_(image), mask);
    });
}

Taps tapsFor(AcuityInterpolation method, bool isAntialiased, int64_t from, int64_t to) {
    switch (method) {
        case ACUITY_INTERPOLATE_NEAREST: return nearestTaps(from, to);
        case ACUITY_INTERPOLATE_AREA: return areaTaps(from, to);
        case ACUITY_INTERPOLATE_BILINEAR: return isAntialiased ? antialiasedTaps(from, to, false) : linearTaps(from, to);
        case ACUITY_INTERPOLATE_BICUBIC: {
            const double step = double(from) / to;
            return isAntialiased ? antialiasedTaps(from, to, true) : cubicTaps(from, to, 0.5 * step - 0.5, step);
        }
    }
    TORCH_CHECK(false, "unknown interpolation");
}

at::Tensor resizedOnProcessor(const at::Tensor &image, int64_t height, int64_t width, AcuityInterpolation method, bool isAntialiased) {
    const int64_t n = image.size(0), c = image.size(1), h = image.size(2), w = image.size(3);
    const Taps rows = tapsFor(method, isAntialiased, h, height), columns = tapsFor(method, isAntialiased, w, width);
    auto x = planar(image), out = at::empty({n, c, height, width}, x.options());
    inParallel(n * c, [&](int64_t i) {
        resampled(x.data_ptr<float>() + i * h * w, h, w, rows, columns, out.data_ptr<float>() + i * height * width);
    });
    return out;
}

AcuityStatus resize(const AcuityTensor *x, int64_t height, int64_t width, AcuityInterpolation method, int32_t antialias, AcuityResult out,
                    char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        TORCH_CHECK(height > 0 && width > 0, "no size ", width, "×", height);
        if (image.size(2) == height && image.size(3) == width) return image;
        if (!image.is_cuda()) return resizedOnProcessor(image, height, width, method, antialias != 0);
        switch (method) {
            case ACUITY_INTERPOLATE_NEAREST: return at::_upsample_nearest_exact2d(image, {height, width});
            case ACUITY_INTERPOLATE_AREA: return at::adaptive_avg_pool2d(image, {height, width});
            case ACUITY_INTERPOLATE_BILINEAR:
                return antialias ? at::_upsample_bilinear2d_aa(image, {height, width}, false) : at::upsample_bilinear2d(image, {height, width}, false);
            case ACUITY_INTERPOLATE_BICUBIC:
                return antialias ? at::_upsample_bicubic2d_aa(image, {height, width}, false) : at::upsample_bicubic2d(image, {height, width}, false);
        }
        TORCH_CHECK(false, "unknown interpolation");
    });
}

// Noise.

AcuityStatus gaussianNoise(const AcuityTensor *x, const float *mixing, uint64_t seed, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        requireImage(image);
        const int64_t n = image.size(0), pixels = image.size(2) * image.size(3);
        if (!image.is_cuda()) {
            auto x = planar(image), out = at::empty(x.sizes(), x.options());
            inParallel(n, [&](int64_t i) {
                const uint64_t keys[3] = {key(seed, 3 * i), key(seed, 3 * i + 1), key(seed, 3 * i + 2)};
                addMixedNoise(x.data_ptr<float>() + i * 3 * pixels, pixels, mixing + i * 9, keys, out.data_ptr<float>() + i * 3 * pixels);
            });
            return out;
        }
        auto noise = normal({n, 3, pixels}, image, seed);
        return at::baddbmm(image.reshape({n, 3, pixels}), upload(mixing, {n, 3, 3}, image), noise).view(image.sizes());
    });
}

/// Poisson's distribution of many rates from one normal draw each: its quantiles by Cornish and Fisher's expansion, rounded.
/// at::poisson takes 20 times as long on a processor. From rate 1 on the mean is right within 0.03, the variance within 6 %
/// (from rate 8 on within 2 %) and the whole distribution within 1 % of total variation; rate 0 stays 0.
at::Tensor poisson(const at::Tensor &rate, uint64_t seed) {
    auto z = normal(rate.sizes(), rate, seed);
    auto skewed = z.square().sub_(1).div_(6);
    return skewed.addcmul_(z, rate.sqrt()).add_(rate).add_(0.5).floor_().clamp_min_(0).mul_(rate.gt(0));
}

/// Rounded to 8 bits and, per picture, the power of two not below its number of different values.
std::pair<at::Tensor, at::Tensor> countable(const at::Tensor &x) {
    auto levels = x.clamp(0, 1).mul_(255).add_(0.5).floor_();
    const int64_t n = x.size(0);
    auto seen = at::zeros({n, 256}, x.options()).scatter_(1, levels.reshape({n, -1}).to(at::kLong), 1);
    auto values = seen.sum(1).log2_().sub_(1e-4).ceil_().clamp_min_(0).exp2_();
    return {levels.div_(255), values.view({n, 1, 1, 1})};
}

at::Tensor poissonResidual(const at::Tensor &x, uint64_t seed) {
    auto [image, values] = countable(x);
    return poisson(image * values, seed).div_(values).sub_(image);
}

at::Tensor greyOf(const at::Tensor &x) {
    return x.narrow(1, 0, 1).mul(0.2989).add_(x.narrow(1, 1, 1), 0.587).add_(x.narrow(1, 2, 1), 0.114);
}

at::Tensor poissonOnProcessor(const at::Tensor &x, const float *scale, const float *grey, uint64_t seed) {
    const int64_t n = x.size(0), pixels = x.size(2) * x.size(3);
    auto out = x.clone();
    inParallel(n, [&](int64_t i) {
        const float *from = x.data_ptr<float>() + i * 3 * pixels;
        float *to = out.data_ptr<float>() + i * 3 * pixels;
        float *planes[3] = {to, to + pixels, to + 2 * pixels};
        if (grey[i] != 0) {
            std::vector<float> single(pixels);
            for (int64_t p = 0; p < pixels; p++) single[p] = 0.2989f * from[p] + 0.587f * from[pixels + p] + 0.114f * from[2 * pixels + p];
            addPoissonNoise(single.data(), pixels, countedLevels(single.data(), pixels), scale[i], key(seed, 3 * i), planes, 3);
            return;
        }
        const float levels = countedLevels(from, 3 * pixels);
        for (int64_t c = 0; c < 3; c++) addPoissonNoise(from + c * pixels, pixels, levels, scale[i], key(seed, 3 * i + c), planes + c, 1);
    });
    return out;
}

AcuityStatus poissonNoise(const AcuityTensor *x, const float *scale, const float *grey, uint64_t seed, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        requireImage(image);
        const int64_t n = image.size(0);
        if (!image.is_cuda()) return poissonOnProcessor(planar(image), scale, grey, seed);
        const bool anyGrey = std::any_of(grey, grey + n, [](float g) { return g != 0; });
        const bool anyColour = std::any_of(grey, grey + n, [](float g) { return g == 0; });
        auto single = anyGrey ? poissonResidual(greyOf(image), seed ^ 1).expand(image.sizes()) : at::Tensor();
        auto noise = anyColour ? poissonResidual(image, seed) : single;
        if (anyGrey && anyColour) noise = at::where(upload(grey, {n, 1, 1, 1}, image).gt(0.5), single, noise);
        return at::addcmul(image, noise, upload(scale, {n, 1, 1, 1}, image));
    });
}

AcuityStatus sensorNoise(const AcuityTensor *x, const float *shot, const float *read, uint64_t seed, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &image = x->value;
        const int64_t n = image.size(0);
        if (!image.is_cuda()) {
            auto from = planar(image), result = at::empty(from.sizes(), from.options());
            const int64_t count = from.numel() / n;
            inParallel(n, [&](int64_t i) {
                addSensorNoise(from.data_ptr<float>() + i * count, count, shot[i], read[i], key(seed, i), result.data_ptr<float>() + i * count);
            });
            return result;
        }
        auto variance = at::addcmul(upload(read, {n, 1, 1, 1}, image).square(), upload(shot, {n, 1, 1, 1}, image), image.clamp_min(0));
        return at::addcmul(image, normal(image.sizes(), image, seed), variance.sqrt_());
    });
}

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

// Batches.

AcuityStatus join(const AcuityTensor *const *tensors, int32_t count, AcuityResult out, char *error) {
    return make(out, error, [&] {
        std::vector<at::Tensor> values;
        for (int32_t i = 0; i < count; i++) values.push_back(tensors[i]->value);
        return at::cat(values, 0);
    });
}

const AcuityDegradationTable degradationTable = {
    clamp, blur, resize, gaussianNoise, poissonNoise, sensorNoise, jpeg, linearise, mosaic, demosaic, gains, magnify, vignette, palette, unsharp,
    join,
};

}  // namespace
