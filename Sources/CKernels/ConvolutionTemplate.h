// ConvolutionTemplate: the direct convolution, written once for all vector instruction sets.
//
// A tile of PIXELS neighbouring output pixels × VECTORS vectors of output channels stays in registers while all
// kernel taps and input channels pass: each step loads VECTORS vectors of weights, broadcasts one input element
// (or pair) per pixel and feeds PIXELS × VECTORS independent multiply-adds, enough to hide their latency.
//
// The includer defines: NAME(x), TARGET, VECTOR, LANES, ELEMENT, STEP, WEIGHTS, LOAD_WEIGHTS(p), BROADCAST(p),
// MULTIPLY_ADD(acc, w, b), LOAD(p), STORE(p, v), ADD(a, b), LEAK(v, slope), ROUND_STORE(p, v), FOR_EACH_SHAPE(CASE).

#define INLINE static inline __attribute__((always_inline, TARGET))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE void NAME(tile)(const acuity_convolution *c, const acuity_segment *s, const ELEMENT *weights, ptrdiff_t channel,
                       ptrdiff_t x, const int VECTORS, const int PIXELS) {
    VECTOR sum[24];
    UNROLL for (int j = 0; j < VECTORS; j++) {
        VECTOR bias = LOAD(c->bias + channel + j * LANES);
        UNROLL for (int p = 0; p < PIXELS; p++) sum[p * VECTORS + j] = bias;
    }
    const ELEMENT *const *row = (const ELEMENT *const *)s->rows;
    for (int source = 0; source < c->source_count; source++) {
        const ptrdiff_t pixel = c->sources[source].pixel_stride, next = pixel * c->stride;
        // Without gaps between pixels, the taps of a row are one run.
        const bool joined = pixel == (ptrdiff_t)c->sources[source].steps * STEP;
        const int taps = joined ? 1 : c->kernel_width, steps = c->sources[source].steps * (joined ? c->kernel_width : 1);
        for (int ky = 0; ky < c->kernel_height; ky++) {
            const ELEMENT *tap = *row++ + x * next;
            for (int kx = 0; kx < taps; kx++, tap += pixel) {
                // One pointer for four pixels: base + 0, 1, 2, 3 × next are addressing modes, and no pointer spills.
                const ELEMENT *in[6];
                UNROLL for (int q = 0; q < (PIXELS + 3) / 4; q++) in[q] = tap + 4 * q * next;
                for (int i = 0; i < steps; i++, weights += VECTORS * LANES * STEP) {
                    WEIGHTS w[8];
                    UNROLL for (int j = 0; j < VECTORS; j++) w[j] = LOAD_WEIGHTS(weights + j * LANES * STEP);
                    UNROLL for (int p = 0; p < PIXELS; p++) {
                        WEIGHTS b = BROADCAST(in[p / 4] + p % 4 * next);
                        UNROLL for (int j = 0; j < VECTORS; j++)
                            sum[p * VECTORS + j] = MULTIPLY_ADD(sum[p * VECTORS + j], w[j], b);
                    }
                    UNROLL for (int q = 0; q < (PIXELS + 3) / 4; q++) {
                        in[q] += STEP;
                        __asm__("" : "+r"(in[q]));
                    }
                }
            }
        }
    }
    if (c->slope) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
            VECTOR slope = LOAD(c->slope + channel + j * LANES);
            UNROLL for (int p = 0; p < PIXELS; p++) sum[p * VECTORS + j] = LEAK(sum[p * VECTORS + j], slope);
        }
    }
    if (s->residual) {
        UNROLL for (int p = 0; p < PIXELS; p++) {
            const float *residual = s->residual + (x + p) * s->residual_stride + channel;
            UNROLL for (int j = 0; j < VECTORS; j++)
                sum[p * VECTORS + j] = ADD(sum[p * VECTORS + j], LOAD(residual + j * LANES));
        }
    }
    if (s->out32) {
        UNROLL for (int p = 0; p < PIXELS; p++) {
            float *out = s->out32 + (x + p) * s->stride32 + channel;
            UNROLL for (int j = 0; j < VECTORS; j++) STORE(out + j * LANES, sum[p * VECTORS + j]);
        }
    }
    if (s->out16) {
        UNROLL for (int p = 0; p < PIXELS; p++) {
            uint16_t *out = s->out16 + (x + p) * s->stride16 + channel;
            UNROLL for (int j = 0; j < VECTORS; j++) ROUND_STORE(out + j * LANES, sum[p * VECTORS + j]);
        }
    }
}

// Rows end with a tile that overlaps the one before; rows narrower than a tile go pixel by pixel.
#define SHAPE(GROUPS, VECTORS, PIXELS)                                                                                  \
    __attribute__((noinline, TARGET)) static void NAME(block_##GROUPS)(                                                 \
        const acuity_convolution *c, const acuity_segment *s, const ELEMENT *weights, ptrdiff_t channel) {              \
        ptrdiff_t x = s->first;                                                                                         \
        if (s->last < PIXELS) {                                                                                         \
            for (; x < s->last; x++) NAME(tile)(c, s, weights, channel, x, VECTORS, 1);                                 \
            return;                                                                                                     \
        }                                                                                                               \
        for (; x < s->last; x += PIXELS)                                                                                \
            NAME(tile)(c, s, weights, channel, x + PIXELS <= s->last ? x : s->last - PIXELS, VECTORS, PIXELS);          \
    }
FOR_EACH_SHAPE(SHAPE)
#undef SHAPE

static void NAME(convolve)(const acuity_convolution *c, const acuity_segment *s) {
    ptrdiff_t block_weights = 0, channel = 0;
    for (int i = 0; i < c->source_count; i++)
        block_weights += (ptrdiff_t)c->kernel_height * c->kernel_width * c->sources[i].steps * STEP * acuity_lanes;
    const ELEMENT *weights = c->weights;
    for (int block = 0; block < c->block_count; block++) {
        const int groups = c->block_groups[block];
        switch (groups) {
#define SHAPE(GROUPS, VECTORS, PIXELS) \
    case GROUPS: NAME(block_##GROUPS)(c, s, weights, channel); break;
            FOR_EACH_SHAPE(SHAPE)
#undef SHAPE
        }
        weights += block_weights * groups;
        channel += (ptrdiff_t)groups * acuity_lanes;
    }
}

#undef INLINE
#undef UNROLL
#undef NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef ELEMENT
#undef STEP
#undef WEIGHTS
#undef LOAD_WEIGHTS
#undef BROADCAST
#undef MULTIPLY_ADD
#undef LOAD
#undef STORE
#undef ADD
#undef LEAK
#undef ROUND_STORE
#undef FOR_EACH_SHAPE
