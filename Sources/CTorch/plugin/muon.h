// Muon (Jordan et al. 2024): orthogonalised momentum for kernels seen as matrices.
#pragma once

#include "support.h"

namespace {

/// The nearest semi-orthogonal matrices, roughly: five Newton–Schulz steps on a batch of matrices, rows ≤ columns. In bfloat16, as in the
/// author's code, where that is faster: singular values end anywhere between 0.7 and 1.2 in any case.
at::Tensor orthogonalised(at::Tensor x) {
    const double a = 3.4445, b = -4.7750, c = 2.0315;
    x = x / (x.norm(2, {1, 2}, true) + 1e-7);
    if (x.size(1) >= 32 && multipliesBFloat16(x.device())) x = x.to(at::kBFloat16);
    for (int i = 0; i < 5; i++) {
        auto gram = at::bmm(x, x.transpose(1, 2));
        auto polynomial = at::baddbmm(gram, gram, gram, b, c);
        x = at::baddbmm(x, polynomial, x, a, 1);
    }
    return x;
}

/// A kernel as its matrix (outputs, rest), sharing memory. The columns come in the memory's order, which does not matter to Muon.
at::Tensor matrix(const at::Tensor &kernel) {
    auto rows = kernel.dim() == 4 && kernel.is_contiguous(at::MemoryFormat::ChannelsLast) ? kernel.permute({0, 2, 3, 1}) : kernel;
    return rows.view({kernel.size(0), -1});
}

/// Moves the momentum and hands `apply`, for all kernels of one shape at a time, their matrices, the batch of orthogonalised updates
/// and what to multiply these by beside the rate. On a GPU launching them one by one would take longer than the arithmetic.
template <typename Apply>
void muonUpdates(const std::vector<at::Tensor> &p, const std::vector<at::Tensor> &m, double beta, Apply apply) {
    auto g = gradients(p);
    std::map<std::vector<int64_t>, std::vector<size_t>> groups;
    for (size_t i = 0; i < p.size(); i++) groups[p[i].sizes().vec()].push_back(i);
    for (const auto &group : groups) {
        std::vector<at::Tensor> weights, moments, slopes;
        for (size_t i : group.second) {
            TORCH_CHECK(m[i].strides() == p[i].strides(), "muon: a momentum lies in memory otherwise than its parameter");
            weights.push_back(matrix(p[i]));
            moments.push_back(matrix(m[i]));
            slopes.push_back(matrix(g[i].strides() == p[i].strides() ? g[i] : at::empty_like(p[i]).copy_(g[i])));
        }
        at::_foreach_mul_(moments, beta);
        at::_foreach_add_(moments, slopes, 1 - beta);
        auto updates = at::_foreach_mul(moments, beta);
        at::_foreach_add_(updates, slopes, 1 - beta);
        auto batch = at::stack(updates);
        const bool tall = batch.size(1) > batch.size(2);
        batch = orthogonalised(tall ? batch.transpose(1, 2) : batch).to(batch.scalar_type());
        if (tall) batch = batch.transpose(1, 2).contiguous();
        apply(weights, batch, std::sqrt(std::max(1.0, double(batch.size(1)) / double(batch.size(2)))));
    }
}

}  // namespace
