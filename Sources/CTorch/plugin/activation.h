// Activation: a convolution, its bias and its PReLU as one operation, which a GPU does in fewer passes over memory.
#pragma once

#include "cpu_filters.h"
#include "support.h"

#include <torch/csrc/autograd/custom_function.h>

#ifdef ACUITY_FUSED
#include <c10/cuda/CUDAStream.h>

extern "C" int acuity_bias_prelu_forward(void *z, const float *bias, const float *slope, void *out, int64_t pixels, int channels, void *stream);
extern "C" int acuity_bias_prelu_backward(const void *z, const void *gradient, const float *slope, void *out, float *biasGradient,
                                          float *slopeGradient, int64_t pixels, int channels, void *stream);
#endif

namespace {

at::Tensor biasAndPrelu(const at::Tensor &z, const at::Tensor &bias, const at::Tensor &slope) {
    return at::prelu(z + bias.to(z.scalar_type()).view({1, -1, 1, 1}), slope.to(z.scalar_type()));
}

// On a processor.

#if defined(__x86_64__) && defined(__linux__)
/// For loops over numbers of 16 bits.
#define ACUITY_SHORT_CLONES __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define ACUITY_SHORT_CLONES
#endif

ACUITY_INLINE float ofBFloat16(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &wide, sizeof x);
    return x;
}

/// Rounded to even.
ACUITY_INLINE uint16_t toBFloat16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

ACUITY_SHORT_CLONES void preluRows(const uint16_t *__restrict z, const float *__restrict slope, uint16_t *__restrict out, int64_t pixels, int64_t channels) {
    for (int64_t p = 0; p < pixels; p++, z += channels, out += channels)
        for (int64_t c = 0; c < channels; c++) {
            const float x = ofBFloat16(z[c]);
            out[c] = toBFloat16(x > 0 ? x : slope[c] * x);
        }
}

ACUITY_SHORT_CLONES void preluGradientRows(const uint16_t *__restrict z, const uint16_t *__restrict gradient, const float *__restrict slope,
                                     uint16_t *__restrict out, float *__restrict sums, int64_t pixels, int64_t channels) {
    for (int64_t p = 0; p < pixels; p++, z += channels, gradient += channels, out += channels)
        for (int64_t c = 0; c < channels; c++) {
            const float x = ofBFloat16(z[c]), g = ofBFloat16(gradient[c]);
            out[c] = toBFloat16(x > 0 ? g : slope[c] * g);
            sums[c] += x > 0 ? 0 : x * g;
        }
}

ACUITY_CLONES void preluRows(const float *__restrict z, const float *__restrict slope, float *__restrict out, int64_t pixels, int64_t channels) {
    for (int64_t p = 0; p < pixels; p++, z += channels, out += channels)
        for (int64_t c = 0; c < channels; c++) out[c] = z[c] > 0 ? z[c] : slope[c] * z[c];
}

ACUITY_CLONES void preluGradientRows(const float *__restrict z, const float *__restrict gradient, const float *__restrict slope, float *__restrict out,
                                     float *__restrict sums, int64_t pixels, int64_t channels) {
    for (int64_t p = 0; p < pixels; p++, z += channels, gradient += channels, out += channels)
        for (int64_t c = 0; c < channels; c++) {
            const float x = z[c], g = gradient[c];
            out[c] = x > 0 ? g : slope[c] * g;
            sums[c] += x > 0 ? 0 : x * g;
        }
}

/// PReLU of values that lie channels-last, bf16 (Number is what holds one) or fp32, one pass over memory each way; libtorch's own kernel
/// goes backward element by element.
template <typename Number>
struct PreluOnProcessor : torch::autograd::Function<PreluOnProcessor<Number>> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, at::Tensor z, at::Tensor slope) {
        auto out = at::empty_like(z);
        const int64_t channels = z.size(1);
        auto from = static_cast<const Number *>(z.data_ptr());
        auto to = static_cast<Number *>(out.data_ptr());
        auto factors = slope.data_ptr<float>();
        inShares(z.numel() / channels, 256, [&](int64_t begin, int64_t end, int64_t) {
            preluRows(from + begin * channels, factors, to + begin * channels, end - begin, channels);
        });
        context->save_for_backward({z, slope});
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        const auto &z = saved[0], &slope = saved[1];
        const int64_t channels = z.size(1);
        auto gradient = gradients[0].to(z.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
        auto out = at::empty_like(z), sums = at::zeros({at::get_num_threads(), channels}, slope.options());
        auto from = static_cast<const Number *>(z.data_ptr()), pull = static_cast<const Number *>(gradient.data_ptr());
        auto to = static_cast<Number *>(out.data_ptr());
        auto factors = slope.data_ptr<float>(), total = sums.data_ptr<float>();
        inShares(z.numel() / channels, 256, [&](int64_t begin, int64_t end, int64_t share) {
            preluGradientRows(from + begin * channels, pull + begin * channels, factors, to + begin * channels,
                              total + share * channels, end - begin, channels);
        });
        return {out, sums.sum(0)};
    }
};

/// Whether the loops above can have it.
bool isForProcessor(const at::Tensor &z, const at::Tensor &slope) {
    return z.is_cpu() && (z.scalar_type() == at::kBFloat16 || z.scalar_type() == at::kFloat) && z.dim() == 4 && z.is_contiguous(at::MemoryFormat::ChannelsLast) &&
           slope.scalar_type() == at::kFloat && slope.is_contiguous() && slope.numel() == z.size(1) && z.numel() > 0;
}

// On a GPU.

#ifdef ACUITY_FUSED

/// z is overwritten, so nobody else may hold it.
struct BiasPrelu : torch::autograd::Function<BiasPrelu> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, at::Tensor z, at::Tensor bias, at::Tensor slope) {
        auto out = at::empty_like(z);
        const int code = acuity_bias_prelu_forward(z.data_ptr(), bias.data_ptr<float>(), slope.data_ptr<float>(), out.data_ptr(), z.numel() / z.size(1),
                                                   int(z.size(1)), c10::cuda::getCurrentCUDAStream().stream());
        TORCH_CHECK(code == 0, "bias and PReLU: CUDA error ", code);
        context->save_for_backward({z, slope});
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        const auto &z = saved[0], &slope = saved[1];
        auto gradient = gradients[0].to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
        auto out = at::empty_like(z), sums = at::zeros({2, z.size(1)}, slope.options());
        const int code = acuity_bias_prelu_backward(z.data_ptr(), gradient.data_ptr(), slope.data_ptr<float>(), out.data_ptr(), sums.data_ptr<float>(),
                                                    sums.data_ptr<float>() + z.size(1), z.numel() / z.size(1), int(z.size(1)),
                                                    c10::cuda::getCurrentCUDAStream().stream());
        TORCH_CHECK(code == 0, "bias and PReLU, backward: CUDA error ", code);
        return {out, sums[0], sums[1]};
    }
};

/// Whether our kernels give what libtorch's own operations give, on this device.
bool fusedWorks() {
    static const bool works = [] {
        try {
            for (int64_t channels : {48, 64}) {
                auto options = at::TensorOptions().device(at::kCUDA);
                auto x = at::randn({3, channels, 37, 29}, options).to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
                auto pull = at::randn({3, channels, 37, 29}, options).to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
                auto bias = at::randn({channels}, options).to(at::kBFloat16).to(at::kFloat), slope = at::rand({channels}, options).to(at::kBFloat16).to(at::kFloat);
                std::vector<at::Tensor> results[2];
                for (int fused = 0; fused < 2; fused++) {
                    auto z = x.clone().set_requires_grad(true), b = bias.clone().set_requires_grad(true), a = slope.clone().set_requires_grad(true);
                    auto y = fused ? BiasPrelu::apply(z.mul(1.0), b, a) : biasAndPrelu(z.mul(1.0), b, a);
                    y.backward(pull);
                    results[fused] = {y.detach(), z.grad(), b.grad(), a.grad()};
                }
                for (int k = 0; k < 4; k++) {
                    auto expected = results[0][k].to(at::kFloat), found = results[1][k].to(at::kFloat);
                    const double error = ((found - expected).norm() / expected.norm()).item().toDouble();
                    if (!(error < 0.02)) return false;
                }
            }
            return true;
        } catch (...) {
            return false;
        }
    }();
    return works;
}

#else

bool fusedWorks() { return false; }

#endif

AcuityStatus fusedAvailable(int32_t *available, char *error) {
    return guarded(error, [&] { *available = fusedWorks() ? 1 : 0; });
}

AcuityStatus convolutionPrelu(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, const AcuityTensor *slope,
                              AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &w = weight->value;
        auto z = at::conv2d(x->value.to(w.scalar_type()), w, at::Tensor(), {1, 1}, {(w.size(2) - 1) / 2, (w.size(3) - 1) / 2});
#ifdef ACUITY_FUSED
        const int64_t channels = z.size(1);
        if (z.is_cuda() && z.scalar_type() == at::kBFloat16 && z.is_contiguous(at::MemoryFormat::ChannelsLast) && channels % 8 == 0 && channels <= 2048 &&
            slope->value.numel() == channels)
            return BiasPrelu::apply(z, bias->value, slope->value);
#endif
        return biasAndPrelu(z, bias->value, slope->value);
    });
}

}  // namespace
