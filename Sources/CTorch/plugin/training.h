// Training: losses, discriminators and whatever else only a training step needs.
#pragma once

#include "support.h"

namespace {

AcuityStatus detach(const AcuityTensor *x, AcuityResult out, char *error) {
    return make(out, error, [&] { return x->value.detach(); });
}

const AcuityTrainingTable trainingTable = {
    detach,
};

}  // namespace
