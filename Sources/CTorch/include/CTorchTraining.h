// CTorchTraining: the part of the table for losses, discriminators and whatever else only a training step needs.
// Included by CTorch.h, never alone.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef struct {
    /// The same values outside any graph, not copied.
    AcuityStatus (*detach)(const AcuityTensor *x, AcuityResult out, char *error);
} AcuityTrainingTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
