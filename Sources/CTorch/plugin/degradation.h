// Degradation: what turns sharp pictures into the soft, noisy, compressed ones that a network learns from.
//
// On a GPU by ATen's operations, few and without waiting. On a processor those take several times as long as loops made for
// the purpose (every operation is a pass over memory and a new tensor), so there each step is one of the cpu_*.h.
#pragma once

#include "cameras.h"
#include "degradation_support.h"

namespace {

// Blur.

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
