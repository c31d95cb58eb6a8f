// CTorch: libtorch as one table of C functions. The table is filled by plugin/acuity_torch.cpp, which is compiled
// against whatever libtorch a machine has and opened at run time; SwiftPM only ever sees this header.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Raised whenever the table changes; a plug-in with another number is refused.
#define ACUITY_TORCH_ABI 7
/// Every function takes an error buffer of this many bytes and leaves one line in it when it fails.
#define ACUITY_TORCH_ERROR_CAPACITY 512

/// A reference to a tensor, owned by the caller until given to `release`. Results are always new references.
typedef struct AcuityTensor AcuityTensor;

typedef enum {
    ACUITY_UINT8 = 0,
    ACUITY_FLOAT32 = 1,
    ACUITY_BFLOAT16 = 2,
} AcuityDType;

typedef enum {
    ACUITY_RELU = 0,
    ACUITY_GELU = 1,
    ACUITY_SILU = 2,
    ACUITY_MISH = 3,
    ACUITY_SIGMOID = 4,
    ACUITY_TANH = 5,
} AcuityActivation;

typedef enum {
    ACUITY_NORM_LAYER = 0,
    ACUITY_NORM_GROUP = 1,
    ACUITY_NORM_BATCH = 2,
} AcuityNorm;

#if defined(__clang__)
#pragma clang assume_nonnull begin
#define ACUITY_NULLABLE _Nullable
#define ACUITY_NONNULL _Nonnull
#else
#define ACUITY_NULLABLE
#define ACUITY_NONNULL
#endif

/// Status: 0 is success, anything else left a message in `error`.
typedef int32_t AcuityStatus;
/// Where a function leaves its result.
#define AcuityResult AcuityTensor *ACUITY_NULLABLE *ACUITY_NONNULL

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#include "CTorchDegradation.h"
#include "CTorchDevice.h"
#include "CTorchGraph.h"
#include "CTorchTraining.h"
#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// Devices are libtorch's strings: "cpu", "cuda", "cuda:1". Images are N×C×H×W.
typedef struct {
    int32_t abi;
    /// Bytes of this table: one that has grown is another one, whatever its number says.
    int32_t size;
    /// E.g. "2.13.0".
    const char *version;

    // The process.
    AcuityStatus (*cuda_devices)(int32_t *count, char *error);
    AcuityStatus (*set_threads)(int32_t count, char *error);
    AcuityStatus (*seed)(uint64_t seed, char *error);
    /// The random generator's state as a uint8 tensor.
    AcuityStatus (*random_state)(const char *device, AcuityResult out, char *error);
    AcuityStatus (*set_random_state)(const char *device, const AcuityTensor *state, char *error);
    /// Waits for queued work (a no-op on the CPU).
    AcuityStatus (*synchronise)(const char *device, char *error);

    // Tensors and memory.
    void (*release)(AcuityTensor *tensor);
    /// Copies `bytes` in; `data` is row-major.
    AcuityStatus (*from_memory)(const void *data, int64_t bytes, AcuityDType type, const int64_t *shape, int32_t rank,
                                const char *device, AcuityResult out, char *error);
    /// Copies the tensor's row-major bytes out as `type`; `bytes` must be exactly its size.
    AcuityStatus (*to_memory)(const AcuityTensor *x, AcuityDType type, void *data, int64_t bytes, char *error);
    /// `shape` has room for 8.
    AcuityStatus (*shape)(const AcuityTensor *x, int64_t *shape, int32_t *rank, char *error);
    AcuityStatus (*item)(const AcuityTensor *x, double *value, char *error);
    /// Differentiable conversion; rank-4 tensors become channels-last where asked.
    AcuityStatus (*convert)(const AcuityTensor *x, AcuityDType type, int32_t channels_last, AcuityResult out, char *error);
    /// A copy outside any graph; a leaf that collects gradients where asked.
    AcuityStatus (*leaf)(const AcuityTensor *x, int32_t requires_gradient, AcuityResult out, char *error);
    /// Sets `target`'s values to those of `source`, outside any graph.
    AcuityStatus (*assign)(AcuityTensor *target, const AcuityTensor *source, char *error);
    AcuityStatus (*gradient)(const AcuityTensor *x, AcuityResult out, char *error);

    // Network operations, all differentiable. Weights decide the type in which a convolution computes.
    AcuityStatus (*convolution)(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *ACUITY_NULLABLE bias,
                                int64_t stride, int64_t groups, int32_t replicate, AcuityResult out, char *error);
    AcuityStatus (*transposed_convolution)(const AcuityTensor *x, const AcuityTensor *weight,
                                           const AcuityTensor *ACUITY_NULLABLE bias, int64_t stride, AcuityResult out, char *error);
    AcuityStatus (*prelu)(const AcuityTensor *x, const AcuityTensor *slope, AcuityResult out, char *error);
    AcuityStatus (*leaky_relu)(const AcuityTensor *x, double slope, AcuityResult out, char *error);
    AcuityStatus (*activation)(const AcuityTensor *x, AcuityActivation function, AcuityResult out, char *error);
    AcuityStatus (*add)(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error);
    AcuityStatus (*multiply)(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error);
    AcuityStatus (*scale)(const AcuityTensor *x, double factor, double offset, AcuityResult out, char *error);
    AcuityStatus (*concatenate)(const AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL tensors, int32_t count, AcuityResult out, char *error);
    AcuityStatus (*slice)(const AcuityTensor *x, int64_t dimension, int64_t first, int64_t count, AcuityResult out, char *error);
    AcuityStatus (*pixel_shuffle)(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error);
    AcuityStatus (*pixel_unshuffle)(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error);
    AcuityStatus (*nearest)(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error);
    /// `vertical · x · horizontalᵀ` in fp32: any separable resampling. vertical is H'×H, horizontal W'×W.
    AcuityStatus (*separable)(const AcuityTensor *x, const AcuityTensor *vertical, const AcuityTensor *horizontal,
                              AcuityResult out, char *error);
    /// `mean` and `variance` only for batch norm, which always uses its running statistics.
    AcuityStatus (*normalise)(const AcuityTensor *x, AcuityNorm kind, int64_t groups, double epsilon, const AcuityTensor *weight,
                              const AcuityTensor *bias, const AcuityTensor *ACUITY_NULLABLE mean,
                              const AcuityTensor *ACUITY_NULLABLE variance, AcuityResult out, char *error);

    // Images.
    /// N×H×W×C uint8 → N×C×H×W fp32, 0…1.
    AcuityStatus (*image)(const AcuityTensor *bytes, AcuityResult out, char *error);
    /// Clipped to 0…1 and rounded to multiples of 1/255.
    AcuityStatus (*quantise)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Y of BT.601, studio swing, /255: one channel from three.
    AcuityStatus (*luma)(const AcuityTensor *x, AcuityResult out, char *error);

    // Training.
    /// Mean over all elements in fp32; exponent 1 is |a − b|, 2 its square.
    AcuityStatus (*loss)(const AcuityTensor *a, const AcuityTensor *b, int32_t exponent, AcuityResult out, char *error);
    AcuityStatus (*backward)(const AcuityTensor *loss, char *error);
    AcuityStatus (*zero_gradients)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, int32_t count, char *error);
    /// Adam (Kingma and Ba 2015) on every parameter, with its own state tensors of the same shape. `step` counts from 1.
    AcuityStatus (*adam)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL first,
                         AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL second, int32_t count, double rate, double beta1, double beta2,
                         double epsilon, int64_t step, char *error);
    /// Muon (Jordan et al. 2024): Nesterov momentum, orthogonalised by five Newton–Schulz steps, on matrices (out, rest).
    AcuityStatus (*muon)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL momentum,
                         int32_t count, double rate, double beta, char *error);
    /// `average = decay · average + (1 − decay) · parameter`.
    AcuityStatus (*average)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL averages, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters,
                            int32_t count, double decay, char *error);

    AcuityDegradationTable degradation;
    AcuityTrainingTable training;
    AcuityDeviceTable device;
    AcuityGraphTable graph;
} AcuityTorchTable;

/// The plug-in's only symbol.
const AcuityTorchTable *acuity_torch_table(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
