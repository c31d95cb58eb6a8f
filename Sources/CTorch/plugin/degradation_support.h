// Degradation support: what the operations of degradations share: uploads, seeds, borders, threads.
#pragma once

#include "cpu_filters.h"
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

/// Planes one after another, on a processor.
at::Tensor planar(const at::Tensor &x) { return x.to(at::kFloat).contiguous(); }

at::Tensor mirrored(const at::Tensor &x, int64_t py, int64_t px) {
    if (py == 0 && px == 0) return x;
    return x.size(2) > py && x.size(3) > px ? at::reflection_pad2d(x, {px, px, py, py}) : at::replication_pad2d(x, {px, px, py, py});
}

}  // namespace
