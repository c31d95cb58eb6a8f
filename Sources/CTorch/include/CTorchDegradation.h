// CTorchDegradation: the part of the table for what turns sharp pictures into the soft, noisy, compressed ones that a network learns from.
// Included by CTorch.h, never alone.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef enum {
    ACUITY_INTERPOLATE_NEAREST = 0,
    /// Mean over the source rectangle (adaptive average pooling).
    ACUITY_INTERPOLATE_AREA = 1,
    ACUITY_INTERPOLATE_BILINEAR = 2,
    /// a = −0.75, and −0.5 where antialiased: libtorch's conventions.
    ACUITY_INTERPOLATE_BICUBIC = 3,
} AcuityInterpolation;

/// Images are N×C×H×W fp32, 0…1. Arrays of numbers are in host memory, one entry (or group of entries) per picture of the
/// batch. What is random depends on `seed` and the device's kind alone, never on libtorch's global generator.
typedef struct {
    /// Clipped to low…high.
    AcuityStatus (*clamp)(const AcuityTensor *x, double low, double high, AcuityResult out, char *error);
    /// Correlates every picture with a kernel of its own, `kernels` being count × height × width and count N or 1; sides are
    /// odd. Borders are mirrored without repeating the edge (repeated where the picture is no larger than the kernel's reach).
    AcuityStatus (*blur)(const AcuityTensor *x, const float *kernels, int64_t count, int64_t height, int64_t width, AcuityResult out,
                         char *error);
    /// To any size; pixel centres at half-integers. `antialias` widens bilinear and bicubic kernels where the picture shrinks.
    AcuityStatus (*resize)(const AcuityTensor *x, int64_t height, int64_t width, AcuityInterpolation method, int32_t antialias,
                           AcuityResult out, char *error);
    /// x + M·n, with n standard normal per pixel and channel and M a 3×3 matrix per picture (N×3×3, of units 0…1).
    AcuityStatus (*gaussian_noise)(const AcuityTensor *x, const float *mixing, uint64_t seed, AcuityResult out, char *error);
    /// Real-ESRGAN's Poisson noise: x + scale · (Poisson(x·v)/v − x), v the power of two not below the number of values in the
    /// picture; `grey` (0 or 1) draws it once for all channels, from the picture's luma.
    AcuityStatus (*poisson_noise)(const AcuityTensor *x, const float *scale, const float *grey, uint64_t seed, AcuityResult out, char *error);
    /// x + n·√(shot·x + read²): a sensor's shot and read noise in linear light.
    AcuityStatus (*sensor_noise)(const AcuityTensor *x, const float *shot, const float *read, uint64_t seed, AcuityResult out, char *error);
    /// What baseline JPEG of a quality (1…100, libjpeg's scaling of the standard tables) leaves of an RGB picture; `subsampled`
    /// is 4:2:0 with libjpeg's smooth chroma upsampling, otherwise 4:4:4. Input is rounded to 8 bits, and so is the result.
    AcuityStatus (*jpeg)(const AcuityTensor *x, const int32_t *quality, int32_t subsampled, AcuityResult out, char *error);
    /// From non-linear sRGB to linear light, or back.
    AcuityStatus (*linearise)(const AcuityTensor *x, int32_t back, AcuityResult out, char *error);
    /// N×3×H×W → N×1×H×W behind an RGGB colour filter array.
    AcuityStatus (*mosaic)(const AcuityTensor *x, AcuityResult out, char *error);
    /// N×1×H×W → N×3×H×W: gradient-corrected bilinear interpolation (Malvar, He and Cutler 2004).
    AcuityStatus (*demosaic)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Every channel times a factor (N×3).
    AcuityStatus (*gains)(const AcuityTensor *x, const float *factors, AcuityResult out, char *error);
    /// Channel c of picture n enlarged by factors[n][c] about centre[n] (x, y; −1…1 over the picture), bicubic, same size.
    AcuityStatus (*magnify)(const AcuityTensor *x, const float *factors, const float *centre, AcuityResult out, char *error);
    /// x / (1 + strength·r²)², r being 1 at the half diagonal and 0 at centre[n]: the cos⁴ law.
    AcuityStatus (*vignette)(const AcuityTensor *x, const float *strength, const float *centre, AcuityResult out, char *error);
    /// Every picture in at most `colours` colours of its own (k-means on a sample of its pixels). `dither` 0…1 is the strength of
    /// an 8×8 ordered dither.
    AcuityStatus (*palette)(const AcuityTensor *x, int64_t colours, double dither, uint64_t seed, AcuityResult out, char *error);
    /// Unsharp masking with a soft mask: `soft` is the picture blurred; where |x − soft| exceeds the threshold (0…1), the
    /// sharpened picture is blended in by the mask blurred with the same kernel (height + width odd taps of a separable one).
    AcuityStatus (*unsharp)(const AcuityTensor *x, const float *taps, int64_t count, const float *weight, double threshold, int32_t masked,
                            AcuityResult out, char *error);
    /// Along the batch.
    AcuityStatus (*join)(const AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL tensors, int32_t count, AcuityResult out, char *error);
} AcuityDegradationTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
