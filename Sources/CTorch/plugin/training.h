// Training: losses, discriminators and whatever else only a training step needs.
#pragma once

#include "cpu_losses.h"
#include "support.h"
#include "cpu_winograd.h"

namespace {

AcuityStatus detach(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.detach(); });
}

AcuityStatus watch(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.detach().set_requires_grad(true); });
}

AcuityStatus backwardTo(const AcuityTensor *y, const AcuityTensor *seed, AcuityTensor *const *inputs, int32_t count, int32_t keepGraph,
                        char *error) {
    return guarded(error, [&] {
        auto gradient = seed ? seed->value : at::Tensor();
        if (count == 0) return y->value.backward(gradient, keepGraph != 0);
        auto leaves = list(inputs, count);
        y->value.backward(gradient, keepGraph != 0, false, at::TensorList(leaves));
    });
}

// Scalars.

AcuityStatus meanOf(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.to(at::kFloat).mean(); });
}

AcuityStatus normOf(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.detach().to(at::kFloat).norm(); });
}

AcuityStatus stackOf(AcuityTensor *const *scalars, int32_t count, AcuityResult out, char *error) {
    return make(out, error, [&] {
        std::vector<at::Tensor> values;
        for (int32_t i = 0; i < count; i++) values.push_back(scalars[i]->value.detach().to(at::kFloat).reshape({}));
        return at::stack(values);
    });
}

AcuityStatus charbonnier(const AcuityTensor *a, const AcuityTensor *b, double epsilon, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto difference = a->value.to(at::kFloat) - b->value.to(at::kFloat);
        return at::sqrt(difference * difference + epsilon * epsilon).mean();
    });
}

AcuityStatus logMSE(const AcuityTensor *a, const AcuityTensor *b, double floor, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto difference = a->value.to(at::kFloat) - b->value.to(at::kFloat);
        return (difference * difference).mean({1, 2, 3}).add(floor).log10().mean() * 10;
    });
}

AcuityStatus relativeL1(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto reference = b->value.to(at::kFloat);
        return at::l1_loss(a->value.to(at::kFloat), reference) / (reference.detach().abs().mean() + 1e-8);
    });
}

AcuityStatus logistic(const AcuityTensor *logits, int32_t real, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto x = logits->value.to(at::kFloat);
        return at::softplus(real ? -x : x).mean();
    });
}

AcuityStatus crossEntropy(const AcuityTensor *logits, const AcuityTensor *classes, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::cross_entropy_loss(logits->value.to(at::kFloat), classes->value.to(at::kLong)); });
}

AcuityStatus sigmoidMean(const AcuityTensor *logits, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::sigmoid(logits->value.detach().to(at::kFloat)).mean(); });
}

// Pictures and features.

AcuityStatus spectrum(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        // A transform wants its planes in one piece.
        auto planes = x->value.to(at::kFloat).contiguous();
        return at::view_as_real(at::fft_rfft2(planes, c10::nullopt, {-2, -1}, c10::string_view("ortho")));
    });
}

AcuityStatus artefactMap(const AcuityTensor *target, const AcuityTensor *output, const AcuityTensor *average, int64_t window,
                         AcuityResult out, char *error) {
    return make(out, error, [&] {
        at::NoGradGuard guard;
        auto truth = target->value.to(at::kFloat);
        auto residual = (truth - output->value.to(at::kFloat)).abs().sum(1, true).contiguous();
        auto calm = (truth - average->value.to(at::kFloat)).abs().sum(1, true);
        auto whole = residual.var({1, 2, 3}, true, true).pow(0.2);
        const int64_t pad = (window - 1) / 2;
        const double count = double(window * window);
        // The local variance as the mean of squares about the picture's mean, so that fp32 suffices.
        auto centred = at::reflection_pad2d(residual - residual.mean({1, 2, 3}, true), {pad, pad, pad, pad});
        auto mean = at::avg_pool2d(centred, {window, window}, {1, 1});
        auto squares = at::avg_pool2d(centred * centred, {window, window}, {1, 1});
        auto local = (squares - mean * mean).clamp_min(0) * (count / (count - 1));
        return at::where(residual < calm, at::zeros_like(local), whole * local);
    });
}

AcuityStatus paddedConvolution(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, int64_t stride, int64_t padding,
                               AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &w = weight->value;
        return convolve(x->value.to(w.scalar_type()), w, bias ? bias->value : at::Tensor(), stride, padding, padding, 1);
    });
}

AcuityStatus maxPool(const AcuityTensor *x, int64_t kernel, int64_t stride, int32_t ceiling, AcuityResult out, char *error) {
    return make(out, error, [&] {
        return at::max_pool2d(x->value, {kernel, kernel}, {stride, stride}, {0, 0}, {1, 1}, ceiling != 0);
    });
}

AcuityStatus bilinear(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error) {
    return make(out, error, [&] {
        return at::upsample_bilinear2d(x->value, {x->value.size(2) * factor, x->value.size(3) * factor}, false);
    });
}

AcuityStatus linear(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, AcuityResult out, char *error) {
    return make(out, error, [&] {
        return at::linear(x->value.flatten(1).to(weight->value.scalar_type()), weight->value, bias->value);
    });
}

AcuityStatus batches(AcuityTensor *const *tensors, int32_t count, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::cat(list(tensors, count), 0); });
}

AcuityStatus pool(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.mean({2, 3}); });
}

AcuityStatus unitChannels(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto value = x->value.to(at::kFloat);
        return value / (value.pow(2).sum(1, true).sqrt() + 1e-10);
    });
}

// Discriminators.

AcuityStatus batchNorm(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, AcuityTensor *mean, AcuityTensor *variance,
                       double momentum, double epsilon, AcuityResult out, char *error) {
    return make(out, error, [&] {
        return at::batch_norm(x->value.to(at::kFloat), weight->value.to(at::kFloat), bias->value.to(at::kFloat), mean->value, variance->value,
                              true, momentum, epsilon, false)
            .to(x->value.scalar_type());
    });
}

AcuityStatus spectralNorm(const AcuityTensor *weight, AcuityTensor *u, AcuityTensor *v, AcuityResult out, char *error) {
    return make(out, error, [&] {
        auto matrix = weight->value.reshape({weight->value.size(0), -1});
        {
            at::NoGradGuard guard;
            auto unit = [](const at::Tensor &x) { return x / x.norm().clamp_min(1e-12); };
            v->value.copy_(unit(at::mv(matrix.t(), u->value)));
            u->value.copy_(unit(at::mv(matrix, v->value)));
        }
        // Copies, because the next step overwrites u and v while this graph may still be walked.
        auto sigma = at::dot(u->value.clone(), at::mv(matrix, v->value.clone()));
        return weight->value / sigma;
    });
}

AcuityStatus limitGradients(AcuityTensor *const *parameters, int32_t count, AcuityTensor *usual, double limit, double decay, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        at::NoGradGuard guard;
        auto g = gradients(list(parameters, count));
        auto norm = at::stack(at::_foreach_norm(g, 2)).norm().clamp_min(1e-30);
        auto known = at::where(usual->value > 0, usual->value, norm);
        auto factor = (known * limit / norm).clamp_max(1);
        at::_foreach_mul_(g, factor);
        usual->value.copy_(known * decay + norm * factor * (1 - decay));
    });
}

AcuityStatus einsum(const char *equation, AcuityTensor *const *tensors, int32_t count, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::einsum(equation, list(tensors, count)); });
}

const AcuityTrainingTable trainingTable = {
    detach,
    watch, backwardTo,
    meanOf, normOf, stackOf, charbonnier, logMSE, gradientL1, edgeL1, relativeL1, logistic, crossEntropy, sigmoidMean,
    spectrum, artefactMap, paddedConvolution, maxPool, bilinear, linear, batches, pool, unitChannels,
    batchNorm, spectralNorm,
    limitGradients,
    einsum,
};

}  // namespace
