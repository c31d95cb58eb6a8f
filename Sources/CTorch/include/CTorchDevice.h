// CTorchDevice: the part of the table for feeding a device and knowing what it can do.
// Included by CTorch.h, never alone.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef struct {
    /// Square patches cut from crops (…×n×size×size×3 uint8, contiguous) that lie on the device: one gather, no copy from the host.
    /// Per patch `picks` holds: crop, x, y, turn (bits mirror x, mirror y, swap the axes), all inside.
    /// Result: count×side×side×3 uint8.
    AcuityStatus (*patches)(const AcuityTensor *crops, const int64_t *picks, int64_t count, int64_t side, AcuityResult out, char *error);
    /// Replaces patch `places[i]` by bilinear fields between four corners (top left, bottom left, top right, bottom right) of RGB.
    AcuityStatus (*draw_fields)(AcuityTensor *patches, const int64_t *places, const float *corners, int64_t count, char *error);
    /// Whether this plug-in's own kernels for the GPU, if it has any, give here what libtorch's operations give. Tries them the first time.
    AcuityStatus (*fused_available)(int32_t *available, char *error);
    /// Convolution with "same" padding and stride 1 in the type of its weight, then the bias and PReLU, one slope per channel, both in fp32.
    AcuityStatus (*convolution_prelu)(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, const AcuityTensor *slope,
                                      AcuityResult out, char *error);
    /// Whether the device has a unit for matrices of bfloat16, which makes them faster than fp32.
    AcuityStatus (*has_matrix_unit)(const char *device, int32_t *available, char *error);
    /// Rate of a square matrix product, 10¹² operations per second (two per multiplication); best of several timings.
    AcuityStatus (*matrix_rate)(const char *device, AcuityDType type, double *rate, char *error);
} AcuityDeviceTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
