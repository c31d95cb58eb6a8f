// Degradation: what turns sharp pictures into the soft, noisy, compressed ones that a network learns from.
#pragma once

#include "support.h"

namespace {

AcuityStatus clamp(const AcuityTensor *x, double low, double high, AcuityResult out, char *error) {
    return make(out, error, [&] { return at::clamp(x->value, low, high); });
}

const AcuityDegradationTable degradationTable = {
    clamp,
};

}  // namespace
