// Graph: a training step recorded once and repeated by the GPU, without the host launching every kernel again; and optimisers
// that take what changes from step to step from the device.
#pragma once

#include "support.h"

#ifdef ACUITY_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

struct AcuityGraph {
    at::cuda::CUDAGraph graph;
};
#endif

namespace {

#ifdef ACUITY_CUDA

AcuityStatus useStream(const char *name, char *error) {
    return guarded(error, [&] {
        at::Device device(name);
        if (!device.is_cuda()) return;
        c10::cuda::device_synchronize();
        const auto index = device.has_index() ? device.index() : c10::cuda::current_device();
        c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(true, index));
    });
}

AcuityStatus graphBegin(AcuityGraph **out, char *error) {
    return guarded(error, [&] {
        auto made = std::make_unique<AcuityGraph>();
        made->graph.capture_begin();
        *out = made.release();
    });
}

AcuityStatus graphEnd(AcuityGraph *graph, char *error) {
    return guarded(error, [&] { graph->graph.capture_end(); });
}

AcuityStatus graphReplay(AcuityGraph *graph, char *error) {
    return guarded(error, [&] { graph->graph.replay(); });
}

void graphRelease(AcuityGraph *graph) { delete graph; }

#else

AcuityStatus noGraphs(char *error) {
    return guarded(error, [] { TORCH_CHECK(false, "this plug-in was compiled without CUDA's headers and cannot record"); });
}
AcuityStatus useStream(const char *, char *) { return 0; }
AcuityStatus graphBegin(AcuityGraph **, char *error) { return noGraphs(error); }
AcuityStatus graphEnd(AcuityGraph *, char *error) { return noGraphs(error); }
AcuityStatus graphReplay(AcuityGraph *, char *error) { return noGraphs(error); }
void graphRelease(AcuityGraph *) {}

#endif

AcuityStatus setNumbers(AcuityTensor *target, const float *values, int32_t count, char *error) {
    return guarded(error, [&] {
        at::NoGradGuard guard;
        auto host = at::empty({count}, at::TensorOptions().dtype(at::kFloat));
        std::memcpy(host.data_ptr(), values, host.nbytes());
        target->value.copy_(host, true);
    });
}

/// Every tensor multiplied by one number on the device.
void scaleAll(const std::vector<at::Tensor> &tensors, const at::Tensor &factor) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 2)
    at::_foreach_mul_(tensors, factor);
#else
    for (auto &tensor : tensors) tensor.mul_(factor);
#endif
}

AcuityStatus adamBy(AcuityTensor *const *parameters, AcuityTensor *const *first, AcuityTensor *const *second, int32_t count, double beta1,
                    double beta2, double epsilon, const AcuityTensor *numbers, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        at::NoGradGuard guard;
        auto p = list(parameters, count), m = list(first, count), v = list(second, count);
        auto g = gradients(p);
        at::_foreach_mul_(m, beta1);
        at::_foreach_add_(m, g, 1 - beta1);
        at::_foreach_mul_(v, beta2);
        at::_foreach_addcmul_(v, g, g, 1 - beta2);
        auto denominator = at::_foreach_sqrt(v);
        scaleAll(denominator, numbers->value[ACUITY_NUMBER_SECOND]);
        at::_foreach_add_(denominator, epsilon);
        auto update = at::_foreach_div(m, denominator);
        scaleAll(update, numbers->value[ACUITY_NUMBER_ADAM]);
        at::_foreach_sub_(p, update);
    });
}

AcuityStatus muonBy(AcuityTensor *const *parameters, AcuityTensor *const *momentum, int32_t count, double beta, const AcuityTensor *numbers,
                    char *error) {
    return guarded(error, [&] {
        at::NoGradGuard guard;
        auto rate = numbers->value[ACUITY_NUMBER_MUON];
        muonUpdates(list(parameters, count), list(momentum, count), beta, [&](const std::vector<at::Tensor> &weights, at::Tensor updates, double factor) {
            at::_foreach_add_(weights, updates.mul_(rate).unbind(0), -factor);
        });
    });
}

AcuityStatus averageBy(AcuityTensor *const *averages, AcuityTensor *const *parameters, int32_t count, const AcuityTensor *numbers, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        at::NoGradGuard guard;
        auto a = list(averages, count), share = at::_foreach_mul(list(parameters, count), 1.0);
        scaleAll(a, numbers->value[ACUITY_NUMBER_DECAY]);
        scaleAll(share, numbers->value[ACUITY_NUMBER_REST]);
        at::_foreach_add_(a, share);
    });
}

const AcuityGraphTable graphTable = {
#ifdef ACUITY_CUDA
    1,
#else
    0,
#endif
    useStream, graphBegin, graphEnd, graphReplay, graphRelease, setNumbers, adamBy, muonBy, averageBy,
};

}  // namespace
