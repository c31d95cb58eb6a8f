// CModels: the released models of Models/, embedded into the executable.
#pragma once
#include <stddef.h>

/// Weights (safetensors) and card (JSON) of one released model.
struct acuity_model {
    const char *name;
    int scale;
    const unsigned char *weights;
    size_t weights_size;
    const unsigned char *card;
    size_t card_size;
};

/// How many models are embedded; may be 0.
size_t acuity_model_count(void);
/// The model at an index below acuity_model_count().
struct acuity_model acuity_model_at(size_t index);
