// CTorchGraph: training steps that a GPU repeats from a recording, part of CTorch.h.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// A recording of work on a GPU, owned by the caller until given to `release`.
typedef struct AcuityGraph AcuityGraph;

/// The numbers of a step that change from one to the next, in the order in which they lie in a tensor on the device.
enum {
    /// Adam's rate over 1 − β₁ᵗ.
    ACUITY_NUMBER_ADAM = 0,
    /// 1 / √(1 − β₂ᵗ).
    ACUITY_NUMBER_SECOND = 1,
    ACUITY_NUMBER_MUON = 2,
    /// Of the running average, and one less it.
    ACUITY_NUMBER_DECAY = 3,
    ACUITY_NUMBER_REST = 4,
    ACUITY_NUMBER_COUNT = 5,
};

/// Recording works where the plug-in was compiled with CUDA's headers. A recording holds addresses, so whatever it reads and writes must
/// outlive it; nothing in it may wait for the device or copy from the host.
typedef struct {
    /// Whether this plug-in can record.
    int32_t is_available;
    /// Gives the calling thread a stream of its own on a CUDA device, which recording needs, after all work so far is done.
    AcuityStatus (*use_stream)(const char *device, char *error);
    /// From here on the thread's work on its stream is recorded and not done.
    AcuityStatus (*begin)(AcuityGraph *ACUITY_NULLABLE *ACUITY_NONNULL out, char *error);
    AcuityStatus (*end)(AcuityGraph *graph, char *error);
    /// Does what was recorded.
    AcuityStatus (*replay)(AcuityGraph *graph, char *error);
    void (*release)(AcuityGraph *graph);

    /// Overwrites a tensor of fp32 without waiting for the device.
    AcuityStatus (*set_numbers)(AcuityTensor *target, const float *values, int32_t count, char *error);
    /// `adam`, `muon` and `average` of the main table with what changes from step to step taken from a tensor.
    AcuityStatus (*adam)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL first,
                         AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL second, int32_t count, double beta1, double beta2, double epsilon,
                         const AcuityTensor *numbers, char *error);
    AcuityStatus (*muon)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL momentum,
                         int32_t count, double beta, const AcuityTensor *numbers, char *error);
    AcuityStatus (*average)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL averages, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters,
                            int32_t count, const AcuityTensor *numbers, char *error);
} AcuityGraphTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
