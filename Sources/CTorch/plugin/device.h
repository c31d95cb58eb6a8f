// Device: feeding a device and knowing what it can do.
#pragma once

#include "activation.h"
#include "support.h"

#include <chrono>

namespace {

AcuityStatus patches(const AcuityTensor *crops, const int64_t *picks, int64_t count, int64_t side, AcuityResult out, char *error) {
    return make(out, error, [&] {
        const auto &pixels = crops->value;
        TORCH_CHECK(pixels.dim() >= 4 && pixels.size(-1) == 3 && pixels.scalar_type() == at::kByte, "patches: crops are n×size×size×3 bytes");
        const int64_t size = pixels.size(-2), number = pixels.numel() / (3 * size * size);
        auto steps = at::empty({3, count, 1, 1}, at::TensorOptions().dtype(at::kLong));
        auto start = steps.data_ptr<int64_t>(), down = start + count, right = down + count;
        for (int64_t i = 0; i < count; i++) {
            const int64_t crop = picks[4 * i], x = picks[4 * i + 1], y = picks[4 * i + 2], turn = picks[4 * i + 3];
            TORCH_CHECK(crop >= 0 && crop < number && x >= 0 && y >= 0 && x + side <= size && y + side <= size, "patches: outside the crop");
            start[i] = (crop * size + y + (turn & 2 ? side - 1 : 0)) * size + x + (turn & 1 ? side - 1 : 0);
            down[i] = turn & 2 ? -size : size;
            right[i] = turn & 1 ? -1 : 1;
            if (turn & 4) std::swap(down[i], right[i]);
        }
        steps = steps.to(pixels.device(), true);
        auto along = at::arange(side, steps.options());
        auto index = steps[0] + steps[1] * along.view({1, side, 1}) + steps[2] * along.view({1, 1, side});
        return pixels.view({-1, 3}).index_select(0, index.view({-1})).view({count, side, side, 3});
    });
}

AcuityStatus drawFields(AcuityTensor *patches, const int64_t *places, const float *corners, int64_t count, char *error) {
    return guarded(error, [&] {
        if (count == 0) return;
        auto device = patches->value.device();
        const int64_t side = patches->value.size(1);
        auto at4 = at::empty({4, count, 1, 1, 3}, at::TensorOptions().dtype(at::kFloat));
        std::memcpy(at4.data_ptr(), corners, at4.nbytes());
        at4 = at4.to(device, true);
        auto where = at::empty({count}, at::TensorOptions().dtype(at::kLong));
        std::memcpy(where.data_ptr(), places, where.nbytes());
        auto along = (at::arange(side, at4.options()) + 0.5) / static_cast<double>(side);
        auto v = along.view({1, side, 1, 1}), u = along.view({1, 1, side, 1});
        auto left = at4[0] + (at4[1] - at4[0]) * v, right = at4[2] + (at4[3] - at4[2]) * v;
        auto field = (left + (right - left) * u + 0.5).floor().clamp(0, 255).to(at::kByte);
        patches->value.index_copy_(0, where.to(device, true), field);
    });
}

AcuityStatus hasMatrixUnit(const char *device, int32_t *available, char *error) {
    return guarded(error, [&] { *available = multipliesBFloat16(at::Device(device)) ? 1 : 0; });
}

AcuityStatus matrixRate(const char *name, AcuityDType type, double *rate, char *error) {
    return guarded(error, [&] {
        at::NoGradGuard guard;
        at::Device device(name);
        // Large enough for a GPU to be busy all through.
        const int64_t side = device.is_cuda() ? 8192 : 2048;
        auto options = at::TensorOptions().device(device);
        auto a = at::randn({side, side}, options).to(scalarType(type)), b = at::randn({side, side}, options).to(scalarType(type));
        auto c = at::matmul(a, b);
        auto wait = [&] { (void)c.view({-1})[0].item(); };
        wait();
        *rate = 0;
        const int rounds = device.is_cuda() ? 5 : 3, products = device.is_cuda() ? 10 : 1;
        for (int round = 0; round < rounds; round++) {
            auto start = std::chrono::steady_clock::now();
            for (int i = 0; i < products; i++) at::matmul_out(c, a, b);
            wait();
            const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            *rate = std::max(*rate, 2e-12 * products * side * side * side / seconds);
        }
    });
}

const AcuityDeviceTable deviceTable = {
    patches,
    drawFields,
    fusedAvailable,
    convolutionPrelu,
    hasMatrixUnit,
    matrixRate,
};

}  // namespace
