// CTorchDegradation: the part of the table for what turns sharp pictures into the soft, noisy, compressed ones that a network learns from.
// Included by CTorch.h, never alone.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef struct {
    /// Clipped to low…high.
    AcuityStatus (*clamp)(const AcuityTensor *x, double low, double high, AcuityResult out, char *error);
} AcuityDegradationTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
