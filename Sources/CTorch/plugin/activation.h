// Activation: a convolution, its bias and its PReLU as one operation, which a GPU does in fewer passes over memory.
#pragma once

#include "support.h"

#ifdef ACUITY_FUSED
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

extern "C" int acuity_bias_prelu_forward(void *z, const float *bias, const float *slope, void *out, int64_t pixels, int channels, void *stream);
extern "C" int acuity_bias_prelu_backward(const void *z, const void *gradient, const float *slope, void *out, float *biasGradient,
                                          float *slopeGradient, int64_t pixels, int channels, void *stream);
#endif

namespace {

at::Tensor biasAndPrelu(const at::Tensor &z, const at::Tensor &bias, const at::Tensor &slope) {
    return at::prelu(z + bias.to(z.scalar_type()).view({1, -1, 1, 1}), slope.to(z.scalar_type()));
}

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

/// Whether the kernels give what libtorch's own operations give, on this device.
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
