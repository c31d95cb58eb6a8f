// cpu_losses: losses on pictures that look at neighbours: on a processor value and gradient in one go, by loops of our own.
#pragma once

#include "cpu_filters.h"
#include "support.h"

#include <torch/csrc/autograd/custom_function.h>

namespace {

/// Signs of Sobel's derivatives of a row, and the sum of their magnitudes. `step` numbers lie between neighbours.
ACUITY_CLONES float sobelRow(const float *__restrict above, const float *__restrict here, const float *__restrict below, float *__restrict x,
                             float *__restrict y, int64_t count, int64_t step) {
    float sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const float dx = above[i + step] - above[i - step] + 2 * (here[i + step] - here[i - step]) + below[i + step] - below[i - step];
        const float dy = below[i - step] - above[i - step] + 2 * (below[i] - above[i]) + below[i + step] - above[i + step];
        sum += std::fabs(dx) + std::fabs(dy);
        x[i] = static_cast<float>((dx > 0) - (dx < 0));
        y[i] = static_cast<float>((dy > 0) - (dy < 0));
    }
    return sum;
}

/// The transpose: what the derivatives' signs pull at a row.
ACUITY_CLONES void sobelPull(const float *__restrict xa, const float *__restrict xh, const float *__restrict xb, const float *__restrict ya,
                             const float *__restrict yb, float *__restrict out, int64_t count, int64_t step, float scale) {
    for (int64_t i = 0; i < count; i++) {
        const float x = xa[i - step] - xa[i + step] + 2 * (xh[i - step] - xh[i + step]) + xb[i - step] - xb[i + step];
        const float y = ya[i - step] + 2 * ya[i] + ya[i + step] - yb[i - step] - 2 * yb[i] - yb[i + step];
        out[i] = scale * (x + y);
    }
}

/// One picture, rows of width × channels numbers: returns the sum of magnitudes and writes the gradient of scale × that sum.
double sobelPicture(const float *a, const float *b, float *gradient, int64_t h, int64_t w, int64_t c, float scale) {
    const int64_t row = w * c, padded = (w + 2) * c, wide = (w + 4) * c;
    // Differences with their border repeated; signs with two pixels of zeros around.
    std::vector<float> d((h + 2) * padded), x((h + 4) * wide, 0.f), y((h + 4) * wide, 0.f), pull(padded);
    for (int64_t i = 0; i < h + 2; i++) {
        const int64_t from = std::min<int64_t>(h - 1, std::max<int64_t>(0, i - 1)) * row;
        float *to = d.data() + i * padded;
        for (int64_t k = 0; k < row; k++) to[c + k] = a[from + k] - b[from + k];
        for (int64_t k = 0; k < c; k++) to[k] = to[c + k], to[c + row + k] = to[row + k];
    }
    double sum = 0;
    for (int64_t i = 0; i < h; i++) {
        const float *here = d.data() + (i + 1) * padded + c;
        const int64_t at = (i + 2) * wide + 2 * c;
        sum += sobelRow(here - padded, here, here + padded, x.data() + at, y.data() + at, row, c);
    }
    std::fill(gradient, gradient + h * row, 0.f);
    for (int64_t i = 0; i < h + 2; i++) {
        const float *px = x.data() + (i + 1) * wide + c, *py = y.data() + (i + 1) * wide + c;
        sobelPull(px - wide, px, px + wide, py - wide, py + wide, pull.data(), padded, c, scale);
        // What pulls at a repeated border pulls at the pixel that was repeated.
        for (int64_t k = 0; k < c; k++) pull[c + k] += pull[k], pull[row + k] += pull[c + row + k];
        float *to = gradient + std::min<int64_t>(h - 1, std::max<int64_t>(0, i - 1)) * row;
        for (int64_t k = 0; k < row; k++) to[k] += pull[c + k];
    }
    return sum;
}

/// Edges of one picture, 0…1: the largest step from a pixel to the next, widened by a pixel; then the sum of e·|a − b| and its gradient.
double edgePicture(const float *a, const float *b, float *gradient, int64_t h, int64_t w, int64_t c, float scale) {
    std::vector<float> step(h * w), across(h * w);
    for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++) {
            const float *here = b + (i * w + j) * c;
            float largest = 0;
            for (int64_t k = 0; k < c; k++) {
                if (j + 1 < w) largest = std::max(largest, std::fabs(here[c + k] - here[k]));
                if (i + 1 < h) largest = std::max(largest, std::fabs(here[w * c + k] - here[k]));
            }
            step[i * w + j] = largest;
        }
    for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++) {
            const float *here = step.data() + i * w + j;
            across[i * w + j] = std::max(*here, std::max(j > 0 ? here[-1] : 0.f, j + 1 < w ? here[1] : 0.f));
        }
    double sum = 0;
    for (int64_t i = 0; i < h; i++) {
        float part = 0;
        for (int64_t j = 0; j < w; j++) {
            const float *here = across.data() + i * w + j;
            const float e = std::max(*here, std::max(i > 0 ? here[-w] : 0.f, i + 1 < h ? here[w] : 0.f));
            for (int64_t k = (i * w + j) * c; k < (i * w + j + 1) * c; k++) {
                const float d = a[k] - b[k];
                part += e * std::fabs(d);
                gradient[k] = scale * e * static_cast<float>((d > 0) - (d < 0));
            }
        }
        sum += part;
    }
    return sum;
}

using PictureLoss = double (*)(const float *, const float *, float *, int64_t, int64_t, int64_t, float);

/// The mean over a batch of what a loop makes of each picture. The gradient is there with the value, so it is kept.
struct LossOnProcessor : torch::autograd::Function<LossOnProcessor> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, at::Tensor a, at::Tensor b, int64_t loop, double divisor) {
        auto left = a.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast), right = b.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
        auto gradient = at::empty_like(left);
        const int64_t n = left.size(0), c = left.size(1), h = left.size(2), w = left.size(3), size = c * h * w;
        const double count = divisor * static_cast<double>(n * size);
        std::vector<double> sums(n, 0.0);
        auto one = left.data_ptr<float>(), two = right.data_ptr<float>();
        auto pull = gradient.data_ptr<float>();
        auto picture = reinterpret_cast<PictureLoss>(loop);
        inParallel(n, [&](int64_t i) {
            sums[i] = picture(one + i * size, two + i * size, pull + i * size, h, w, c, static_cast<float>(1 / count));
        });
        double total = 0;
        for (double sum : sums) total += sum;
        context->save_for_backward({gradient});
        return at::full({}, total / count, left.options().memory_format(c10::nullopt));
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        return {context->get_saved_variables()[0] * gradients[0], at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

at::Tensor lossOnProcessor(const at::Tensor &a, const at::Tensor &b, PictureLoss loop, double divisor) {
    TORCH_CHECK(a.dim() == 4 && a.sizes() == b.sizes() && a.numel() > 0, "two batches of pictures of one size are needed");
    return LossOnProcessor::apply(a, b.detach(), reinterpret_cast<int64_t>(loop), divisor);
}

// On other devices.

/// Sobel's derivatives along both axes, borders repeated: N×C×H×W → NC×2×H×W.
at::Tensor sobelOf(const at::Tensor &x) {
    const float values[] = {-1, 0, 1, -2, 0, 2, -1, 0, 1, -1, -2, -1, 0, 0, 0, 1, 2, 1};
    auto kernel = at::from_blob(const_cast<float *>(values), {2, 1, 3, 3}, at::kFloat).clone().to(x.device()) / 8;
    auto planes = x.to(at::kFloat).reshape({-1, 1, x.size(2), x.size(3)});
    return at::conv2d(at::replication_pad2d(planes, {1, 1, 1, 1}), kernel);
}

at::Tensor edgesOf(const at::Tensor &b) {
    at::NoGradGuard guard;
    auto planes = b.detach().to(at::kFloat).contiguous();
    auto step = [&](int64_t axis) {
        const int64_t n = planes.size(axis);
        auto d = (planes.narrow(axis, 1, n - 1) - planes.narrow(axis, 0, n - 1)).abs().amax(1, true);
        return axis == 3 ? at::constant_pad_nd(d, {0, 1, 0, 0}) : at::constant_pad_nd(d, {0, 0, 0, 1});
    };
    return at::max_pool2d(at::maximum(step(2), step(3)), {3, 3}, {1, 1}, {1, 1});
}

// The two losses.

AcuityStatus gradientL1(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error) {
    return make(out, error, [&] {
        // Magnitudes of both derivatives, which Sobel's kernels make eight times too large.
        if (a->value.is_cpu()) return lossOnProcessor(a->value, b->value, sobelPicture, 16);
        return sobelOf(a->value - b->value).abs().mean();
    });
}

AcuityStatus edgeL1(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error) {
    return make(out, error, [&] {
        if (a->value.is_cpu()) return lossOnProcessor(a->value, b->value, edgePicture, 1);
        return ((a->value.to(at::kFloat) - b->value.to(at::kFloat)).abs() * edgesOf(b->value)).mean();
    });
}

}  // namespace
