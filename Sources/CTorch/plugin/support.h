// Support: what every function of the plug-in's table needs: errors that stay on this side, lists, gradients.
#pragma once

#include "../include/CTorch.h"
#include "cpu_threads.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct AcuityTensor {
    at::Tensor value;
};

namespace {

void describe(const char *message, char *error) {
    size_t length = 0;  // the first line is the reason, the rest a backtrace
    while (message[length] && message[length] != '\n' && length + 1 < ACUITY_TORCH_ERROR_CAPACITY) length++;
    std::memcpy(error, message, length);
    error[length] = 0;
}

template <typename Body>
AcuityStatus guarded(char *error, Body body) {
    FlushDenormals guard;
    try {
        body();
        return 0;
    } catch (const c10::Error &e) {
        describe(e.what_without_backtrace(), error);
    } catch (const std::exception &e) {
        describe(e.what(), error);
    } catch (...) {
        describe("unknown C++ exception", error);
    }
    return 1;
}

/// Runs `body` and hands its tensor to the caller.
template <typename Body>
AcuityStatus make(AcuityResult out, char *error, Body body) {
    return guarded(error, [&] { *out = new AcuityTensor{body()}; });
}

at::ScalarType scalarType(AcuityDType type) {
    switch (type) {
        case ACUITY_UINT8: return at::kByte;
        case ACUITY_FLOAT32: return at::kFloat;
        case ACUITY_BFLOAT16: return at::kBFloat16;
    }
    TORCH_CHECK(false, "unknown element type");
}

std::vector<at::Tensor> list(AcuityTensor *const *tensors, int32_t count) {
    std::vector<at::Tensor> result;
    for (int32_t i = 0; i < count; i++) result.push_back(tensors[i]->value);
    return result;
}

std::vector<at::Tensor> gradients(const std::vector<at::Tensor> &parameters) {
    std::vector<at::Tensor> result;
    for (const auto &p : parameters) {
        TORCH_CHECK(p.grad().defined(), "a parameter has no gradient");
        result.push_back(p.grad());
    }
    return result;
}

/// Whether the device has a unit for matrices of bfloat16, so that they are faster than fp32. AVX512-BF16 alone is none: its
/// instructions take twice as long as fp32's.
bool multipliesBFloat16(const at::Device &device) {
    if (!device.is_cpu()) return device.is_cuda();
#if defined(__x86_64__)
    return __builtin_cpu_supports("amx-bf16");
#else
    return false;
#endif
}

at::Generator generator(const char *device) {
    return at::globalContext().defaultGenerator(at::Device(device));
}

}  // namespace
