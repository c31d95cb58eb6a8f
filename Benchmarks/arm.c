// arm.c: the kernels of the processor it runs on against the scalar ones, for ./run check arm: `arm.sh` runs it under emulation.
#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float uniform(void) { return (float)rand() / (float)RAND_MAX * 2 - 1; }

static float *values(size_t count) {
    float *p = aligned_alloc(64, (count * 4 + 63) / 64 * 64);
    if (!p) abort();
    for (size_t i = 0; i < count; i++) p[i] = uniform();
    return p;
}

enum { most_sources = 2, width = 29, height = 13, margin = 8 };

typedef struct {
    int kernel, outputs, sources, channels[most_sources];
    bool slope, residual;
} example;

/// The largest difference, relative to the largest value. Pictures have a margin of values on every side, so that nothing needs padding.
static double difference(const example *e, acuity_isa isa, bool winograd) {
    const int groups = (e->outputs + 15) / 16, taps = e->kernel * e->kernel, radius = e->kernel / 2;
    const int columns = width + 2 * margin, rows = height + 2 * margin;
    acuity_source sources[most_sources];
    float *pictures[most_sources];
    int inputs = 0, padded_inputs = 0;
    for (int s = 0; s < e->sources; s++) {
        const int padded = (e->channels[s] + 15) / 16 * 16;
        sources[s] = (acuity_source){.steps = e->channels[s], .pixel_stride = padded};
        pictures[s] = values((size_t)columns * rows * padded);
        inputs += e->channels[s], padded_inputs += padded;
    }
    // Dense weights (output, input, tap) and both orders of packing.
    const int lanes = groups * 16;
    float *dense = values((size_t)lanes * inputs * taps), *bias = values(lanes), *slope = values(lanes);
    float *direct = values((size_t)lanes * inputs * taps), *transformed = values((size_t)lanes * padded_inputs * 64);
    memset(transformed, 0, (size_t)lanes * padded_inputs * 64 * 4);
    int32_t blocks[16];
    float *w = direct;
    for (int g = 0; g < groups; g++) {
        blocks[g] = 1;
        int first = 0, place = 0;
        for (int s = 0; s < e->sources; s++) {
            for (int tap = 0; tap < taps; tap++)
                for (int i = 0; i < e->channels[s]; i++)
                    for (int l = 0; l < 16; l++) *w++ = dense[((g * 16 + l) * inputs + first + i) * taps + tap];
            for (int i = 0; winograd && i < e->channels[s]; i++)
                for (int l = 0; l < 16; l++) {
                    float f[64];
                    acuity_winograd_kernel(dense + ((g * 16 + l) * inputs + first + i) * 9, f);
                    for (int k = 0; k < 64; k++) transformed[(size_t)g * 64 * padded_inputs * 16 + (k * padded_inputs + place + i) * 16 + l] = f[k];
                }
            first += e->channels[s], place += (e->channels[s] + 15) / 16 * 16;
        }
    }
    acuity_convolution c = {
        .kernel_height = e->kernel, .kernel_width = e->kernel, .stride = 1, .source_count = e->sources, .sources = sources, .block_count = groups,
        .block_groups = blocks, .weights = direct, .bias = bias, .slope = e->slope ? slope : NULL};
    float *residual = values((size_t)width * height * lanes);
    float *expected = values((size_t)width * height * lanes), *result = values((size_t)width * height * lanes);
    for (int pass = 0; pass < (winograd ? 1 : 2); pass++) {
        for (int y = 0; y < height; y++) {
            const void *pointers[most_sources * 5];
            for (int s = 0; s < e->sources; s++)
                for (int k = 0; k < e->kernel; k++)
                    pointers[s * e->kernel + k] = pictures[s] + ((size_t)(y + margin + k - radius) * columns + margin - radius) * sources[s].pixel_stride;
            acuity_segment segment = {
                .rows = pointers, .first = 0, .last = width, .residual = e->residual ? residual + (size_t)y * width * lanes : NULL, .residual_stride = lanes,
                .out32 = (pass ? result : expected) + (size_t)y * width * lanes, .stride32 = lanes};
            acuity_convolution_kernel(pass ? isa : acuity_scalar, false)(&c, &segment);
        }
    }
    if (winograd) {
        const acuity_winograd *steps = acuity_winograd_steps(isa);
        c.weights = transformed;
        const int tiles = (width + 5) / 6, plane = tiles * padded_inputs + 16, out_plane = tiles * 16 + 16;
        float *v = values((size_t)64 * plane), *m = values((size_t)64 * out_plane);
        for (int y = 0; y < height; y += 6) {
            const float *pointers[most_sources * 8];
            for (int s = 0; s < e->sources; s++)
                for (int k = 0; k < 8; k++) pointers[s * 8 + k] = pictures[s] + ((size_t)(y + margin + k - 1) * columns + margin - 1) * sources[s].pixel_stride;
            steps->input(&c, pointers, 0, tiles, v, padded_inputs, plane);
            for (int g = 0; g < groups; g++) {
                steps->multiply(&c, g, v, padded_inputs, plane, m, 16, out_plane, tiles, NULL, 0);
                acuity_winograd_rows r = {.rows = height - y < 6 ? height - y : 6, .columns = width, .stride = lanes, .residual_stride = lanes};
                for (int k = 0; k < r.rows; k++) {
                    r.out[k] = result + (size_t)(y + k) * width * lanes;
                    r.residual[k] = e->residual ? residual + (size_t)(y + k) * width * lanes : NULL;
                }
                steps->output(&c, g, m, 16, out_plane, 0, tiles, &r);
            }
        }
    }
    double largest = 1e-9, worst = 0;
    for (int i = 0; i < width * height * lanes; i++) {
        largest = fmax(largest, fabs(expected[i]));
        const double d = fabs((double)expected[i] - result[i]);
        if (!(d <= worst)) worst = d;
    }
    return worst / largest;
}

int main(void) {
    acuity_isa isa = acuity_scalar;
    for (int i = acuity_scalar; i <= acuity_avx2; i++)
        if (acuity_has((acuity_isa)i)) isa = (acuity_isa)i;
    if (isa == acuity_scalar || !acuity_winograd_steps(isa)) {
        printf("no vector kernels here\n");
        return 1;
    }
    const int outputs[] = {16, 33, 64}, counts[] = {3, 16, 20, 64};
    int failures = 0, examples = 0;
    double worst = 0;
    for (int o = 0; o < 3; o++)
        for (int n = 0; n < 4; n++)
            for (int kind = 0; kind < 16; kind++) {
                const int kernel = kind % 4 == 3 ? 5 : kind % 4 == 2 ? 1 : 3;
                const example e = {kernel, outputs[o], 1 + kind / 8, {counts[n], 24}, kind & 4, kind & 2};
                for (int winograd = 0; winograd < (kernel == 3 ? 2 : 1); winograd++) {
                    const double d = difference(&e, isa, winograd);
                    examples++;
                    worst = fmax(worst, d);
                    if (!(d < 2e-5)) {
                        failures++;
                        printf("%d×%d, %d + %d channels to %d, %s: differs by %g\n", kernel, kernel, e.channels[0], e.sources > 1 ? 24 : 0, e.outputs,
                               winograd ? "Winograd" : "direct", d);
                    }
                }
            }
    const double seconds = acuity_seconds(), operations = acuity_peak(isa, false, 1000);
    printf("%d convolutions, largest difference %.1e of the largest value; peak loop %.0f operations in %.3f s\n", examples, worst, operations,
           acuity_seconds() - seconds);
    return failures || operations <= 0;
}
