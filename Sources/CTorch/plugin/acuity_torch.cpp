// The plug-in: fills AcuityTorchTable over ATen. Compiles against libtorch 1.13 and later, CPU or CUDA, by build.sh.
//
// Nothing throws across the C boundary, and no thread-local state (grad mode, autocast) outlives a call, but for the stream
// that `use_stream` gives a thread: mixed precision is explicit, by the type of the weights.
#if __has_include(<torch/version.h>)
#include <torch/version.h>
#else
#include <torch/csrc/api/include/torch/version.h>
#endif

#include "support.h"

#include "degradation.h"
#include "device.h"
#include "muon.h"
#include "training.h"

#include "graph.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

// The process.

AcuityStatus cudaDevices(int32_t *count, char *error) {
    return guarded(error, [&] {
        *count = at::globalContext().hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().getNumGPUs()) : 0;
        if (*count > 0) at::globalContext().setBenchmarkCuDNN(true);
    });
}

AcuityStatus setThreads(int32_t count, char *error) {
    return guarded(error, [&] { at::set_num_threads(count); });
}

AcuityStatus seed(uint64_t value, char *error) {
    return guarded(error, [&] { at::manual_seed(value); });
}

AcuityStatus randomState(const char *device, AcuityResult out, char *error) {
    return make(out, error, [&] { return generator(device).get_state(); });
}

AcuityStatus setRandomState(const char *device, const AcuityTensor *state, char *error) {
    return guarded(error, [&] { generator(device).set_state(state->value); });
}

AcuityStatus synchronise(const char *device, char *error) {
    return guarded(error, [&] {
        at::Device d(device);
        if (d.is_cuda()) at::zeros({1}, at::TensorOptions().device(d)).cpu();
    });
}

// Tensors and memory.

void release(AcuityTensor *tensor) { delete tensor; }

AcuityStatus fromMemory(const void *data, int64_t bytes, AcuityDType type, const int64_t *shape, int32_t rank,
                        const char *device, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto result = at::empty(at::IntArrayRef(shape, rank), at::TensorOptions().dtype(scalarType(type)));
        TORCH_CHECK(bytes == static_cast<int64_t>(result.nbytes()), "from_memory: ", bytes, " bytes for a tensor of ", result.nbytes());
        if (bytes > 0) std::memcpy(result.data_ptr(), data, bytes);
        return result.to(at::Device(device));
    });
}

AcuityStatus toMemory(const AcuityTensor *x, AcuityDType type, void *data, int64_t bytes, char *error) {
    return guarded(error, [&] {
        auto value = x->value.detach().to(at::kCPU, scalarType(type)).contiguous();
        TORCH_CHECK(bytes == static_cast<int64_t>(value.nbytes()), "to_memory: room for ", bytes, " bytes of ", value.nbytes());
        if (bytes > 0) std::memcpy(data, value.data_ptr(), bytes);
    });
}

AcuityStatus shape(const AcuityTensor *x, int64_t *shape, int32_t *rank, char *error) {
    return guarded(error, [&] {
        auto sizes = x->value.sizes();
        TORCH_CHECK(sizes.size() <= 8, "more than 8 dimensions");
        *rank = static_cast<int32_t>(sizes.size());
        for (size_t i = 0; i < sizes.size(); i++) shape[i] = sizes[i];
    });
}

AcuityStatus item(const AcuityTensor *x, double *value, char *error) {
    return guarded(error, [&] { *value = x->value.item().toDouble(); });
}

AcuityStatus convert(const AcuityTensor *x, AcuityDType type, int32_t channelsLast, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto result = x->value.to(scalarType(type));
        return channelsLast && result.dim() == 4 ? result.contiguous(at::MemoryFormat::ChannelsLast) : result;
    });
}

AcuityStatus leaf(const AcuityTensor *x, int32_t requiresGradient, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.detach().clone().set_requires_grad(requiresGradient != 0); });
}

AcuityStatus assign(AcuityTensor *target, const AcuityTensor *source, char *error) {
    return guarded(error, [&] {
        at::NoGradGuard guard;
        target->value.copy_(source->value);
    });
}

AcuityStatus gradient(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return gradients({x->value})[0]; });
}

// Network operations.

AcuityStatus convolution(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, int64_t stride,
                         int64_t groups, int32_t replicate, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &w = weight->value;
        int64_t py = (w.size(2) - 1) / 2, px = (w.size(3) - 1) / 2;
        auto input = x->value;
        if (replicate && (py > 0 || px > 0)) {
            input = at::replication_pad2d(input.to(at::kFloat), {px, px, py, py}).contiguous(at::MemoryFormat::ChannelsLast);
            py = px = 0;
        }
        return convolve(input.to(w.scalar_type()), w, bias ? bias->value : at::Tensor(), stride, py, px, groups);
    });
}

AcuityStatus transposedConvolution(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, int64_t stride,
                                   AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &w = weight->value;
        int64_t p = w.size(2) / 2;
        return at::conv_transpose2d(x->value.to(w.scalar_type()), w, bias ? bias->value : at::Tensor(), {stride, stride}, {p, p},
                                    {stride - 1, stride - 1});
    });
}

AcuityStatus prelu(const AcuityTensor *x, const AcuityTensor *slope, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &input = x->value;
        if (isForProcessor(input, slope->value))
            return input.scalar_type() == at::kFloat ? PreluOnProcessor<float>::apply(input, slope->value) : PreluOnProcessor<uint16_t>::apply(input, slope->value);
        auto a = slope->value.to(input.scalar_type());
        // ATen's own kernels for the CPU go backward element by element. A factor per element, 1 or the slope, made of vectorised
        // operations, gives the same values and gradients to the bit in a fifth of the time.
        if (input.is_cpu() && input.dim() == 4 && a.numel() > 1 && (input.requires_grad() || a.requires_grad())) {
            at::Tensor positive, rest;
            {
                at::NoGradGuard guard;
                positive = at::sign(at::relu(input));
                rest = at::rsub(positive, 1);
            }
            return at::mul(input, at::add(positive, at::mul(rest, a.view({1, -1, 1, 1}))));
        }
        return at::prelu(input, a);
    });
}

AcuityStatus leakyReLU(const AcuityTensor *x, double slope, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::leaky_relu(x->value, slope); });
}

AcuityStatus activation(const AcuityTensor *x, AcuityActivation function, AcuityResult out, char *error) {
    return make(out, error, [&] {
        switch (function) {
            case ACUITY_RELU: return at::relu(x->value);
            case ACUITY_GELU: return at::gelu(x->value);
            case ACUITY_SILU: return at::silu(x->value);
            case ACUITY_MISH: return at::mish(x->value);
            case ACUITY_SIGMOID: return at::sigmoid(x->value);
            case ACUITY_TANH: return at::tanh(x->value);
        }
        TORCH_CHECK(false, "unknown activation");
    });
}

AcuityStatus add(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::add(a->value, b->value); });
}

AcuityStatus multiply(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::mul(a->value, b->value); });
}

AcuityStatus scale(const AcuityTensor *x, double factor, double offset, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto result = at::mul(x->value, factor);
        return offset == 0 ? result : at::add(result, offset);
    });
}

AcuityStatus concatenate(const AcuityTensor *const *tensors, int32_t count, AcuityResult out, char *error) {
    return make(out, error, [&] {
        std::vector<at::Tensor> values;
        for (int32_t i = 0; i < count; i++) values.push_back(tensors[i]->value);
        return at::cat(values, 1);
    });
}

AcuityStatus slice(const AcuityTensor *x, int64_t dimension, int64_t first, int64_t count, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::narrow(x->value, dimension, first, count); });
}

AcuityStatus pixelShuffle(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::pixel_shuffle(x->value, factor); });
}

AcuityStatus pixelUnshuffle(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::pixel_unshuffle(x->value, factor); });
}

AcuityStatus nearest(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error) {
    return make(out, error, [&] {
        return at::upsample_nearest2d(x->value, {x->value.size(2) * factor, x->value.size(3) * factor});
    });
}

AcuityStatus separable(const AcuityTensor *x, const AcuityTensor *vertical, const AcuityTensor *horizontal, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto rows = at::matmul(vertical->value, x->value.to(at::kFloat).contiguous());
        return at::matmul(rows, horizontal->value.t());
    });
}

AcuityStatus normalise(const AcuityTensor *x, AcuityNorm kind, int64_t groups, double epsilon, const AcuityTensor *weight,
                       const AcuityTensor *bias, const AcuityTensor *mean, const AcuityTensor *variance, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto input = x->value.to(at::kFloat);
        auto w = weight->value.to(at::kFloat), b = bias->value.to(at::kFloat);
        at::Tensor result;
        switch (kind) {
            case ACUITY_NORM_LAYER:
                result = at::layer_norm(input.permute({0, 2, 3, 1}), {input.size(1)}, w, b, epsilon).permute({0, 3, 1, 2});
                break;
            case ACUITY_NORM_GROUP: result = at::group_norm(input, groups, w, b, epsilon); break;
            case ACUITY_NORM_BATCH:
                TORCH_CHECK(mean && variance, "batch norm needs its running statistics");
                result = at::batch_norm(input, w, b, mean->value, variance->value, false, 0.1, epsilon, false);
                break;
        }
        return result.to(x->value.scalar_type());
    });
}

// Images.

AcuityStatus image(const AcuityTensor *bytes, AcuityResult out, char *error) {
    return make(out, error, [&] { return bytes->value.permute({0, 3, 1, 2}).to(at::kFloat).div(255); });
}

AcuityStatus quantise(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        // MATLAB rounds halves up, ATen to even.
        return x->value.clamp(0, 1).mul_(255).add_(0.5).floor_().div_(255);
    });
}

AcuityStatus luma(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto weights = at::tensor({65.481f / 255, 128.553f / 255, 24.966f / 255}, x->value.options().dtype(at::kFloat).requires_grad(false));
        return at::mul(x->value, weights.view({1, 3, 1, 1})).sum(1, true).add(16.0 / 255);
    });
}

// Training.

AcuityStatus loss(const AcuityTensor *a, const AcuityTensor *b, int32_t exponent, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto p = a->value.to(at::kFloat), q = b->value.to(at::kFloat);
        return exponent == 2 ? at::mse_loss(p, q) : at::l1_loss(p, q);
    });
}

AcuityStatus backward(const AcuityTensor *loss, char *error) {
    return guarded(error, [&] { loss->value.backward(); });
}

AcuityStatus zeroGradients(AcuityTensor *const *parameters, int32_t count, char *error) {
    return guarded(error, [&] {
        for (int32_t i = 0; i < count; i++) parameters[i]->value.mutable_grad() = at::Tensor();
    });
}

/// Whether a processor's loop may run over the floats of all of them alike.
bool areAlike(const at::Tensor &a, const at::Tensor &b) {
    return a.is_cpu() && b.is_cpu() && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat && a.sizes() == b.sizes() &&
           a.strides() == b.strides() && a.is_non_overlapping_and_dense();
}

/// One pass over memory instead of the eight that separate operations take.
void adamStep(float *__restrict p, const float *__restrict g, float *__restrict m, float *__restrict v, int64_t count, float beta1, float beta2,
              float rate, float correction, float epsilon) {
    inShares(count, 16384, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t i = begin; i < end; i++) {
            m[i] = beta1 * m[i] + (1 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
            p[i] -= rate * m[i] / (std::sqrt(v[i]) * correction + epsilon);
        }
    });
}

AcuityStatus adam(AcuityTensor *const *parameters, AcuityTensor *const *first, AcuityTensor *const *second, int32_t count,
                  double rate, double beta1, double beta2, double epsilon, int64_t step, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        at::NoGradGuard guard;
        auto p = list(parameters, count), m = list(first, count), v = list(second, count);
        auto g = gradients(p);
        bool simple = true;
        for (size_t i = 0; i < p.size(); i++) simple = simple && areAlike(p[i], g[i]) && areAlike(p[i], m[i]) && areAlike(p[i], v[i]);
        if (simple) {
            const double correction = 1 / std::sqrt(1 - std::pow(beta2, double(step))), factor = rate / (1 - std::pow(beta1, double(step)));
            for (size_t i = 0; i < p.size(); i++)
                adamStep(p[i].data_ptr<float>(), g[i].data_ptr<float>(), m[i].data_ptr<float>(), v[i].data_ptr<float>(), p[i].numel(), beta1, beta2,
                         factor, correction, epsilon);
            return;
        }
        at::_foreach_mul_(m, beta1);
        at::_foreach_add_(m, g, 1 - beta1);
        at::_foreach_mul_(v, beta2);
        at::_foreach_addcmul_(v, g, g, 1 - beta2);
        auto denominator = at::_foreach_sqrt(v);
        at::_foreach_div_(denominator, std::sqrt(1 - std::pow(beta2, double(step))));
        at::_foreach_add_(denominator, epsilon);
        at::_foreach_addcdiv_(p, m, denominator, -rate / (1 - std::pow(beta1, double(step))));
    });
}

AcuityStatus muon(AcuityTensor *const *parameters, AcuityTensor *const *momentum, int32_t count, double rate, double beta, char *error) {
    return guarded(error, [&] {
        at::NoGradGuard guard;
        muonUpdates(list(parameters, count), list(momentum, count), beta, [&](const std::vector<at::Tensor> &weights, at::Tensor updates, double factor) {
            at::_foreach_add_(weights, updates.unbind(0), -rate * factor);
        });
    });
}

AcuityStatus average(AcuityTensor *const *averages, AcuityTensor *const *parameters, int32_t count, double decay, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        at::NoGradGuard guard;
        auto a = list(averages, count), p = list(parameters, count);
        bool simple = true;
        for (size_t i = 0; i < p.size(); i++) simple = simple && areAlike(a[i], p[i]);
        if (simple) {
            const float rest = 1 - decay;
            for (size_t i = 0; i < p.size(); i++) {
                float *__restrict to = a[i].data_ptr<float>();
                const float *__restrict from = p[i].data_ptr<float>();
                inShares(p[i].numel(), 16384, [&](int64_t begin, int64_t end, int64_t) {
                    for (int64_t k = begin; k < end; k++) to[k] += rest * (from[k] - to[k]);
                });
            }
            return;
        }
        at::_foreach_mul_(a, decay);
        at::_foreach_add_(a, p, 1 - decay);
    });
}

const AcuityTorchTable table = {
    ACUITY_TORCH_ABI, sizeof(AcuityTorchTable), TORCH_VERSION,
    cudaDevices, setThreads, seed, randomState, setRandomState, synchronise,
    release, fromMemory, toMemory, shape, item, convert, leaf, assign, gradient,
    convolution, transposedConvolution, prelu, leakyReLU, activation, add, multiply, scale, concatenate, slice,
    pixelShuffle, pixelUnshuffle, nearest, separable, normalise,
    image, quantise, luma,
    loss, backward, zeroGradients, adam, muon, average,
    degradationTable, trainingTable, deviceTable, graphTable,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const AcuityTorchTable *acuity_torch_table(void) {
#if defined(__GLIBC__)
    // A step frees what it kept for going backward; given back to the system each time, its pages would have to be cleared again.
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
    return &table;
}
