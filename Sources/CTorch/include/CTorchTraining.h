// CTorchTraining: the part of the table for losses, discriminators and whatever else only a training step needs.
// Included by CTorch.h, never alone.
#pragma once

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef struct {
    /// The same values outside any graph, not copied.
    AcuityStatus (*detach)(const AcuityTensor *x, AcuityResult out, char *error);

    // Gradients at chosen tensors.
    /// The same values outside any graph, not copied, as a leaf that collects gradients.
    AcuityStatus (*watch)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Adds the gradient of `y` to the leaves `inputs` and to nothing else; without inputs, to every leaf. `seed` is the
    /// gradient that arrives at `y`, 1 where it is NULL. The graph can be walked again where `keep_graph`.
    AcuityStatus (*backward_to)(const AcuityTensor *y, const AcuityTensor *ACUITY_NULLABLE seed,
                                AcuityTensor *ACUITY_NULLABLE const *ACUITY_NULLABLE inputs, int32_t count, int32_t keep_graph, char *error);

    // Scalars, in fp32.
    AcuityStatus (*mean)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Euclidean norm over all elements.
    AcuityStatus (*norm)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Scalars as one vector.
    AcuityStatus (*stack)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL scalars, int32_t count, AcuityResult out, char *error);
    /// Mean of √((a − b)² + ε²).
    AcuityStatus (*charbonnier)(const AcuityTensor *a, const AcuityTensor *b, double epsilon, AcuityResult out, char *error);
    /// Mean over the pictures of a batch of 10·log₁₀(mean (a − b)² + floor).
    AcuityStatus (*log_mse)(const AcuityTensor *a, const AcuityTensor *b, double floor, AcuityResult out, char *error);
    /// Mean magnitude of Sobel's derivatives of a − b, borders repeated.
    AcuityStatus (*gradient_l1)(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error);
    /// Mean of e·|a − b|, e from 0 to 1 being where b has edges; see TrainingOperations.swift.
    AcuityStatus (*edge_l1)(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error);
    /// Mean of |a − b| divided by that of |b|; no gradient for the divisor.
    AcuityStatus (*relative_l1)(const AcuityTensor *a, const AcuityTensor *b, AcuityResult out, char *error);
    /// Mean binary cross-entropy of logits against 1 (`real`) or 0.
    AcuityStatus (*logistic)(const AcuityTensor *logits, int32_t real, AcuityResult out, char *error);
    /// Mean cross-entropy of N×K logits against N uint8 classes.
    AcuityStatus (*cross_entropy)(const AcuityTensor *logits, const AcuityTensor *classes, AcuityResult out, char *error);
    AcuityStatus (*sigmoid_mean)(const AcuityTensor *logits, AcuityResult out, char *error);

    // Pictures and features.
    /// Real and imaginary part of the orthonormal real two-dimensional Fourier transform: N×C×H×W → N×C×H×(W/2+1)×2.
    AcuityStatus (*spectrum)(const AcuityTensor *x, AcuityResult out, char *error);
    /// LDL's weights, N×1×H×W, outside any graph; see LossTerms.swift.
    AcuityStatus (*artefact_map)(const AcuityTensor *target, const AcuityTensor *output, const AcuityTensor *average, int64_t window,
                                 AcuityResult out, char *error);
    /// Convolution with an explicit zero padding.
    AcuityStatus (*padded_convolution)(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *ACUITY_NULLABLE bias,
                                       int64_t stride, int64_t padding, AcuityResult out, char *error);
    AcuityStatus (*max_pool)(const AcuityTensor *x, int64_t kernel, int64_t stride, int32_t ceiling, AcuityResult out, char *error);
    /// Bilinear enlargement with half-pixel centres, borders clamped.
    AcuityStatus (*bilinear)(const AcuityTensor *x, int64_t factor, AcuityResult out, char *error);
    /// `flatten(x) · weightᵀ + bias`, x flattened from the second dimension on.
    AcuityStatus (*linear)(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, AcuityResult out, char *error);
    /// One batch from several, along the first dimension.
    AcuityStatus (*batches)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL tensors, int32_t count, AcuityResult out, char *error);
    /// Mean over height and width: N×C×H×W → N×C.
    AcuityStatus (*pool)(const AcuityTensor *x, AcuityResult out, char *error);
    /// Every pixel's channels divided by their Euclidean norm, in fp32.
    AcuityStatus (*unit_channels)(const AcuityTensor *x, AcuityResult out, char *error);

    // Discriminators.
    /// Batch norm by the batch's own statistics, which move the running ones.
    AcuityStatus (*batch_norm)(const AcuityTensor *x, const AcuityTensor *weight, const AcuityTensor *bias, AcuityTensor *mean,
                               AcuityTensor *variance, double momentum, double epsilon, AcuityResult out, char *error);
    /// Weight / σ, σ being its largest singular value as an (outputs, rest) matrix, by one step of power iteration on `u` and
    /// `v`, which are overwritten.
    AcuityStatus (*spectral_norm)(const AcuityTensor *weight, AcuityTensor *u, AcuityTensor *v, AcuityResult out, char *error);

    // Optimisation.
    /// Shortens all gradients together to at most `limit` times their usual norm, a running mean of `decay` in the scalar `usual` (0: not
    /// known yet). All on the device.
    AcuityStatus (*limit_gradients)(AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL parameters, int32_t count, AcuityTensor *usual,
                                    double limit, double decay, char *error);

    // Re-parameterisation.
    /// Sums of products by Einstein's convention, as `torch.einsum`: `om,mnyx,ni->oiyx`.
    AcuityStatus (*einsum)(const char *equation, AcuityTensor *ACUITY_NULLABLE const *ACUITY_NONNULL tensors, int32_t count, AcuityResult out, char *error);
} AcuityTrainingTable;

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
