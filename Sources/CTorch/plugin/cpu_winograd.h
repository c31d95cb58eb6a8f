// cpu_winograd: 3×3 convolutions of a training step on a processor, both ways, as F(6×6, 3×3) (Lavin and Gray 2016, arXiv 1509.09308): a
// fifth of the multiplications of a direct one.
//
// In fp32, channels-last, stride 1, a border of zeros. The gradient of the kernels is the exact transpose of the forward pass, with the
// transforms Gᵀ(Σ Bᵀxb ⊙ A∂Aᵀ)G; that of the input is a convolution with the kernels turned. A strip of tiles at a time, so that what
// lies between the transforms stays in the second-level cache.
#pragma once

#include "cpu_filters.h"
#include "support.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdlib>
#include <string>

namespace {

struct WinogradLoops {
    void (*inputTile)(const float *in, int64_t pixel, int64_t row, int64_t channels, float *out, int64_t plane);
    void (*outputTile)(const float *in, int64_t plane, int64_t channels, const float *bias, float *out, int64_t pixel, int64_t row);
    void (*gradientTile)(const float *in, int64_t pixel, int64_t row, int64_t channels, float *out, int64_t plane);
    void (*kernels)(const float *in, int64_t count, bool turned, float *out);
    void (*kernelGradients)(const float *in, int64_t count, float *out);
    void (*multiply)(int64_t rows, int64_t columns, int64_t terms, const float *a, int64_t aRow, int64_t aTerm, const float *b, int64_t bTerm,
                     float *out, int64_t outRow, bool add);
};

#if defined(__x86_64__)
namespace avx512 {
#define TARGET __attribute__((target("avx512f,avx512vl,avx512dq,fma")))
#define LANES 16
#define VECTORS 4
#define REGISTERS 24
#include "cpu_winograd_loops.h"
#undef TARGET
#undef LANES
#undef VECTORS
#undef REGISTERS
}  // namespace avx512
namespace avx2 {
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define VECTORS 2
#define REGISTERS 12
#include "cpu_winograd_loops.h"
#undef TARGET
#undef LANES
#undef VECTORS
#undef REGISTERS
}  // namespace avx2
#endif

namespace baseline {
#define TARGET
#define LANES 4
#define VECTORS 4
#if defined(__x86_64__)
#define REGISTERS 8
#else
#define REGISTERS 24
#endif
#include "cpu_winograd_loops.h"
#undef TARGET
#undef LANES
#undef VECTORS
#undef REGISTERS
}  // namespace baseline

/// The fastest that the processor has, or that ACUITY_ISA names, as for the engine.
const WinogradLoops &winogradLoops() {
#if defined(__x86_64__)
    static const std::string named = std::getenv("ACUITY_ISA") ? std::getenv("ACUITY_ISA") : "";
    static const bool wide = __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && named != "avx2" && named != "scalar";
    static const bool medium = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && named != "scalar";
    if (wide) return avx512::loops;
    if (medium) return avx2::loops;
#endif
    return baseline::loops;
}

/// Pictures (count, height, width, channels) seen as strips of rows of tiles of 6×6 pixels.
struct Strips {
    int64_t count, height, width, across, down, rows, strips;

    explicit Strips(const at::Tensor &x)
        : count(x.size(0)), height(x.size(2)), width(x.size(3)), across((width + 5) / 6), down((height + 5) / 6) {
        rows = std::min(down, std::max<int64_t>(1, 64 / across));
        strips = (down + rows - 1) / rows;
    }

    int64_t tiles() const { return rows * across; }
    /// Planes lie 64 bytes further apart than their size, so that the 64 stores of a tile do not all fall into one set of the cache.
    int64_t plane(int64_t channels) const { return tiles() * channels + 16; }

    /// Runs body(tile of the strip, picture, top, left) for the tiles of a strip and returns how many there were.
    template <typename Body>
    int64_t each(int64_t strip, Body body) const {
        const int64_t picture = strip / strips, first = strip % strips * rows, last = std::min(down, first + rows);
        int64_t tile = 0;
        for (int64_t i = first; i < last; i++)
            for (int64_t j = 0; j < across; j++) body(tile++, picture, i * 6, j * 6);
        return tile;
    }

    /// Bᵀdb of a strip's tiles, `v` being planes.
    int64_t transformInput(const WinogradLoops &loops, const float *x, int64_t channels, int64_t strip, float *v, std::vector<float> &border) const {
        const int64_t row = width * channels;
        return each(strip, [&](int64_t tile, int64_t picture, int64_t top, int64_t left) {
            const float *from = x + picture * height * row;
            float *to = v + tile * channels;
            if (top > 0 && left > 0 && top + 7 <= height && left + 7 <= width)
                return loops.inputTile(from + (top - 1) * row + (left - 1) * channels, channels, row, channels, to, plane(channels));
            window(from, channels, top - 1, left - 1, 8, border);
            loops.inputTile(border.data(), channels, 8 * channels, channels, to, plane(channels));
        });
    }

    /// A square of pixels, zeros outside of the picture.
    void window(const float *from, int64_t channels, int64_t top, int64_t left, int64_t side, std::vector<float> &out) const {
        out.resize(std::max<size_t>(out.size(), side * side * channels));
        const int64_t begin = std::max<int64_t>(0, left), end = std::min(width, left + side);
        float *to = out.data();
        for (int64_t y = top; y < top + side; y++, to += side * channels) {
            const bool isInside = y >= 0 && y < height;
            float *first = to + (isInside ? (begin - left) * channels : 0);
            std::fill(to, first, 0.f);
            if (isInside) first = std::copy_n(from + (y * width + begin) * channels, (end - begin) * channels, first);
            std::fill(first, to + side * channels, 0.f);
        }
    }
};

/// Room for 64 planes.
at::Tensor planes(const at::Tensor &like, int64_t plane) { return at::empty({64 * plane}, like.options().requires_grad(false)); }

/// (3, 3, inputs, outputs) of kernels (outputs, inputs, 3, 3), the last of them next to each other.
at::Tensor byOutputs(const at::Tensor &weight) { return weight.permute({2, 3, 1, 0}).contiguous(); }

/// The convolution of `x` (count, inputs, h, w), channels-last, with `taps` (3, 3, inputs, outputs), turned by half a turn where said.
at::Tensor winogradConvolution(const at::Tensor &x, const at::Tensor &taps, const at::Tensor &bias, bool turned) {
    const auto &loops = winogradLoops();
    const Strips strips(x);
    const int64_t inputs = taps.size(2), outputs = taps.size(3), row = strips.width * outputs;
    auto u = at::empty({64, inputs, outputs}, taps.options());
    loops.kernels(taps.data_ptr<float>(), inputs * outputs, turned, u.data_ptr<float>());
    auto y = at::empty({strips.count, outputs, strips.height, strips.width}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
    const float *from = x.data_ptr<float>(), *kernels = u.data_ptr<float>(), *offset = bias.defined() ? bias.data_ptr<float>() : nullptr;
    float *to = y.data_ptr<float>();
    struct Memory {
        at::Tensor v, m;
        std::vector<float> border;
    };
    inParallel<Memory>(strips.count * strips.strips, at::get_num_threads(), [&](int64_t strip, Memory &memory) {
        if (!memory.v.defined()) memory.v = planes(x, strips.plane(inputs)), memory.m = planes(x, strips.plane(outputs));
        float *v = memory.v.data_ptr<float>(), *m = memory.m.data_ptr<float>();
        const int64_t tiles = strips.transformInput(loops, from, inputs, strip, v, memory.border);
        for (int64_t f = 0; f < 64; f++)
            loops.multiply(tiles, outputs, inputs, v + f * strips.plane(inputs), inputs, 1, kernels + f * inputs * outputs, outputs,
                           m + f * strips.plane(outputs), outputs, false);
        strips.each(strip, [&](int64_t tile, int64_t picture, int64_t top, int64_t left) {
            const float *in = m + tile * outputs;
            float *out = to + (picture * strips.height + top) * row + left * outputs;
            const int64_t high = std::min<int64_t>(6, strips.height - top), wide = std::min<int64_t>(6, strips.width - left);
            if (high == 6 && wide == 6) return loops.outputTile(in, strips.plane(outputs), outputs, offset, out, outputs, row);
            memory.border.resize(std::max<size_t>(memory.border.size(), 36 * outputs));
            loops.outputTile(in, strips.plane(outputs), outputs, offset, memory.border.data(), outputs, 6 * outputs);
            for (int64_t i = 0; i < high; i++) std::copy_n(memory.border.data() + i * 6 * outputs, wide * outputs, out + i * row);
        });
    });
    return y;
}

/// The gradient of the kernels (outputs, inputs, 3, 3), from that of the output.
at::Tensor winogradKernelGradient(const at::Tensor &x, const at::Tensor &gradient) {
    const auto &loops = winogradLoops();
    const Strips strips(x);
    const int64_t inputs = x.size(1), outputs = gradient.size(1), row = strips.width * outputs, all = strips.count * strips.strips;
    // Each thread has its share of the strips and its own sums, so that the result does not depend on who is faster.
    const int64_t shares = std::min<int64_t>(all, at::get_num_threads());
    auto sums = at::empty({shares, 64, inputs, outputs}, x.options().memory_format(at::MemoryFormat::Contiguous));
    const float *from = x.data_ptr<float>(), *pull = gradient.data_ptr<float>();
    struct Memory {
        at::Tensor v, m;
        std::vector<float> border;
    };
    inParallel<Memory>(shares, int(shares), [&](int64_t share, Memory &memory) {
        memory.v = planes(x, strips.plane(inputs)), memory.m = planes(x, strips.plane(outputs));
        float *v = memory.v.data_ptr<float>(), *m = memory.m.data_ptr<float>(), *sum = sums.data_ptr<float>() + share * 64 * inputs * outputs;
        for (int64_t strip = all * share / shares, first = strip; strip < all * (share + 1) / shares; strip++) {
            const int64_t tiles = strips.transformInput(loops, from, inputs, strip, v, memory.border);
            strips.each(strip, [&](int64_t tile, int64_t picture, int64_t top, int64_t left) {
                const float *in = pull + picture * strips.height * row;
                float *out = m + tile * outputs;
                if (top + 6 <= strips.height && left + 6 <= strips.width)
                    return loops.gradientTile(in + top * row + left * outputs, outputs, row, outputs, out, strips.plane(outputs));
                strips.window(in, outputs, top, left, 6, memory.border);
                loops.gradientTile(memory.border.data(), outputs, 6 * outputs, outputs, out, strips.plane(outputs));
            });
            for (int64_t f = 0; f < 64; f++)
                loops.multiply(inputs, outputs, tiles, v + f * strips.plane(inputs), 1, inputs, m + f * strips.plane(outputs), outputs,
                               sum + f * inputs * outputs, outputs, strip > first);
        }
    });
    auto sum = shares == 1 ? sums[0] : sums.sum(0);
    auto taps = at::empty({3, 3, inputs, outputs}, sum.options());
    loops.kernelGradients(sum.data_ptr<float>(), inputs * outputs, taps.data_ptr<float>());
    return taps.permute({3, 2, 0, 1});
}

struct WinogradConvolution : torch::autograd::Function<WinogradConvolution> {
    /// Without a bias it has to be none: autograd asks an undefined tensor for its device.
    static at::Tensor forward(torch::autograd::AutogradContext *context, at::Tensor x, at::Tensor weight, std::optional<at::Tensor> bias) {
        context->save_for_backward({x, weight});
        context->saved_data["x"] = x.requires_grad();
        context->saved_data["weight"] = weight.requires_grad();
        context->saved_data["bias"] = bias && bias->requires_grad();
        return winogradConvolution(x, byOutputs(weight), bias.value_or(at::Tensor()), false);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        auto gradient = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
        at::Tensor x, weight, bias;
        if (context->saved_data["x"].toBool())
            x = winogradConvolution(gradient, saved[1].permute({2, 3, 0, 1}).contiguous(), at::Tensor(), true);
        if (context->saved_data["weight"].toBool()) weight = winogradKernelGradient(saved[0], gradient);
        if (context->saved_data["bias"].toBool()) bias = gradient.sum({0, 2, 3});
        return {x, weight, bias};
    }
};

/// Whether the loops above can have it, and gain by it: small pictures are mostly border.
bool isForWinograd(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias, int64_t stride, int64_t padding, int64_t groups) {
    return x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && (!bias.defined() || bias.scalar_type() == at::kFloat) &&
           stride == 1 && padding == 1 && groups == 1 && weight.size(2) == 3 && weight.size(3) == 3 && x.dim() == 4 && x.size(1) == weight.size(1) &&
           weight.size(0) % 16 == 0 && weight.size(1) % 16 == 0 && x.size(2) >= 12 && x.size(3) >= 12 && x.size(0) > 0 &&
           x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

/// at::conv2d, or that.
at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias, int64_t stride, int64_t py, int64_t px, int64_t groups) {
    if (py == px && isForWinograd(x, weight, bias, stride, py, groups)) 
        return WinogradConvolution::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
    return at::conv2d(x, weight, bias, {stride, stride}, {py, px}, {1, 1}, groups);
}

}  // namespace
