// CKernels: convolution and element-wise kernels per instruction set, and the thread pool that runs them.
//
// Activations are NHWC rows: `pixel_stride` elements per pixel, channels padded with zeros to a multiple of 16. A kernel
// makes one stretch of one output row; where the rows lie (a plane, a ring buffer) is the caller's business.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

enum { acuity_lanes = 16 };  // Channels are padded to a multiple of this.

typedef enum { acuity_scalar, acuity_neon, acuity_avx2, acuity_avx512, acuity_avx512bf16, acuity_amx } acuity_isa;

/// Whether the processor this runs on has the instruction set.
bool acuity_has(acuity_isa isa);

/// The processor's name, e.g. `AMD EPYC 9655`; at most `size` bytes with the final 0.
void acuity_processor_name(char *name, size_t size);

int acuity_processor_count(void);

/// Bytes of a processor's second-level cache; 0 or less where the system does not say.
ptrdiff_t acuity_second_level_cache(void);

/// Has freed blocks of up to 256 MB kept for the next one instead of given back to the system, where the C library is glibc.
void acuity_keep_freed_memory(void);
/// Bytes that malloc has given out and not taken back, whatever it keeps for later; -1 where it does not say.
int64_t acuity_allocated_bytes(void);

const char *_Nullable acuity_environment(const char *name);

// MARK: Convolution

/// One of the tensors that a convolution reads (several stand for their concatenation along channels).
typedef struct {
    int32_t steps;           // Channels (fp32) or pairs of channels (bf16) to read of each pixel.
    ptrdiff_t pixel_stride;  // Elements from pixel to pixel.
} acuity_source;

/// What is the same for every row of a layer. Output = activation(convolution + bias) + residual.
typedef struct {
    int32_t kernel_height, kernel_width, stride;
    int32_t source_count;
    const acuity_source *sources;
    int32_t block_count;
    const int32_t *block_groups;  // Groups of 16 output channels in each block: 1…4 (AVX-512), 1 (others).
    const void *weights;          // [block][source][ky][kx][step][channel of block][1 or 2 channels of step]
    const float *bias;            // One per padded output channel.
    const float *_Nullable slope; // Negative values are multiplied with it; one per padded output channel.
} acuity_convolution;

/// One stretch of one output row.
typedef struct {
    const void *_Nullable const *_Nonnull rows;  // [source][ky]: input rows at column −(kernel_width − 1) / 2.
    ptrdiff_t first, last;              // Output columns first ..< last. Columns from max(0, last − 24) on may be written again.
    const float *_Nullable residual;    // At column 0, as are the outputs.
    ptrdiff_t residual_stride;
    float *_Nullable out32;
    ptrdiff_t stride32;
    uint16_t *_Nullable out16;  // Rounded to nearest even.
    ptrdiff_t stride16;
} acuity_segment;

typedef void (*acuity_convolve)(const acuity_convolution *, const acuity_segment *);

/// The kernel for an instruction set that the processor has; `bf16` needs `acuity_avx512bf16`.
acuity_convolve _Nullable acuity_convolution_kernel(acuity_isa isa, bool bf16);

/// The bf16 kernel for `acuity_amx`, NULL without. It reads whole pixels, padding and all, and up to 62 bytes beyond the last, which it
/// multiplies by zero: weights are [group of 16 channels][source][ky][32 values of kx and channel in memory][pair][channel of group][2], the values
/// filled up with zeros. `steps` and blocks do not matter to it. No column is written twice.
acuity_convolve _Nullable acuity_tile_kernel(void);

/// Whether processor and system let this process use the matrix unit.
bool acuity_has_tiles(void);

// MARK: Winograd

// 3×3 convolution with stride 1 by F(6×6, 3×3), Lavin and Gray 2016: a tile of 6×6 outputs is made from 8×8 inputs, for
// several tiles at a time in three steps. `v` and `m` are 64-byte aligned scratch memory of 64 planes, one per frequency.
// Of `acuity_convolution`, `weights` are [block][frequency][source][channel, padded to 16][channel of block].

enum { acuity_winograd_tile = 6, acuity_winograd_frequencies = 64 };

/// GgGᵀ of one kernel (row by row), computed in double precision.
void acuity_winograd_kernel(const float weights[_Nonnull 9], float transformed[_Nonnull acuity_winograd_frequencies]);

/// Where a row of tiles goes.
typedef struct {
    int32_t rows;       // 1…6 rows exist.
    ptrdiff_t columns;  // Columns of the picture; what lies beyond is not written.
    float *_Nullable out[acuity_winograd_tile];  // At column 0, as is the residual.
    ptrdiff_t stride;
    const float *_Nullable residual[acuity_winograd_tile];
    ptrdiff_t residual_stride;
} acuity_winograd_rows;

/// The three steps.
typedef struct {
    /// BᵀdB: tiles `first ..< first + count` of a row of tiles into planes of [tile][source, channel], padded to 16.
    ///
    /// `rows` are [source][8] input rows at column −1. They are read up to column 6 × (first + count) + 1, also beyond the
    /// picture, where values should be of the picture's size. `pixel` is the number of padded channels, `plane` is in floats.
    void (*input)(const acuity_convolution *c, const float *_Nonnull const *_Nonnull rows, ptrdiff_t first, ptrdiff_t count, float *v,
                  ptrdiff_t pixel, ptrdiff_t plane);

    /// One matrix product per frequency: [tile][channel] × [channel][channel of block] into planes of [tile][channel of block],
    /// `m_pixel` floats from tile to tile. `m` may be `v` itself if there is one block and its pixels are no longer: products
    /// then land where their factors just were, in the first-level cache.
    ///
    /// The last products meanwhile bring what `fetch` lists into the second-level cache: stretches of 16 × `v_pixel` floats
    /// that will be read next. They need not exist.
    void (*multiply)(const acuity_convolution *c, int32_t block, const float *v, ptrdiff_t v_pixel, ptrdiff_t v_plane, float *m,
                     ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t tiles, const float *_Nullable const *_Nullable fetch,
                     ptrdiff_t fetch_count);

    /// AᵀmA, bias, slope and residual for tiles `first ..< first + count` of a row of tiles and one block of channels.
    void (*output)(const acuity_convolution *c, int32_t block, const float *m, ptrdiff_t m_pixel, ptrdiff_t m_plane, ptrdiff_t first,
                   ptrdiff_t count, const acuity_winograd_rows *r);
} acuity_winograd;

/// The steps for an instruction set; NULL where it has none, or the processor has not the instructions.
const acuity_winograd *_Nullable acuity_winograd_steps(acuity_isa isa);

// MARK: Rows

/// Rounds to bfloat16, nearest even; NaN stays NaN.
void acuity_round(acuity_isa isa, const float *in, uint16_t *out, ptrdiff_t count);

/// An interleaved picture row as padded pixels, as floats and as bfloat16. With `split`, bfloat16 pixels hold what
/// rounding lost in the next `channels` channels.
void acuity_input(acuity_isa isa, const float *in, ptrdiff_t count, int32_t channels, float *_Nullable out32, ptrdiff_t stride32,
                  uint16_t *_Nullable out16, ptrdiff_t stride16, bool split);

/// Pixel shuffle of pixels whose channels are ordered [dy][dx][channel], into `factor` interleaved picture rows, plus
/// (if given) the nearest-enlarged picture `base`, one interleaved pixel for each `in` pixel.
void acuity_shuffle_out(acuity_isa isa, const float *in, ptrdiff_t stride, ptrdiff_t count, int32_t factor,
                        int32_t channels, const float *_Nullable base, float *out, ptrdiff_t out_stride);

/// out = a × a_factor + b × b_factor.
void acuity_sum(acuity_isa isa, const float *a, float a_factor, const float *b, float b_factor, float *out, ptrdiff_t count);

/// Clips to 0…1, multiplies by 255 or 65535 and rounds to the nearest integer, as PixelBuffer does, to the bit; NaN becomes 0.
/// Returns whether all values were finite.
bool acuity_quantise_8(acuity_isa isa, const float *in, uint8_t *out, ptrdiff_t count);
bool acuity_quantise_16(acuity_isa isa, const float *in, uint16_t *out, ptrdiff_t count);

typedef enum { acuity_gelu, acuity_silu, acuity_mish, acuity_sigmoid, acuity_tanh } acuity_activation;

/// Element-wise, by the C library; GELU by the error function.
/// Vectorised SiLU and sigmoid are within 4e-7 of the C library's, relative to the larger of result and 1e-30.
void acuity_activate(acuity_isa isa, acuity_activation function, const float *in, float *out, ptrdiff_t count);

/// out = (a + b) × (sigmoid(a) − ½): the parameter-free attention of SPAN.
void acuity_gate(acuity_isa isa, const float *a, const float *b, float *out, ptrdiff_t count);

/// out = a × b.
void acuity_product(acuity_isa isa, const float *a, const float *b, float *out, ptrdiff_t count);

// MARK: Threads

typedef struct acuity_pool acuity_pool;

/// Threads that run one job after the other, all of them on the same job. NULL if they cannot be started.
acuity_pool *_Nullable acuity_pool_create(int32_t threads);

int32_t acuity_pool_threads(const acuity_pool *pool);

/// Lets the threads end after the jobs already submitted. Safe from a job's `done`.
void acuity_pool_release(acuity_pool *pool);

/// Calls `body(context, thread)` on every thread, then `done(context)` on one. Returns at once; jobs run in order.
void acuity_pool_submit(acuity_pool *pool, void (*body)(void *, int32_t), void (*done)(void *), void *context);

/// From a body: the next number 0, 1, … of a thread's counter since the last barrier, each given once.
int64_t acuity_pool_next(acuity_pool *pool, int32_t owner);

/// From a body: waits until every thread is here.
void acuity_pool_barrier(acuity_pool *pool);

// MARK: Peak

/// Runs `iterations` rounds of 24 independent multiply-adds in registers; returns the operations done (a
/// multiplication and an addition count as two), 0 where the instruction set has no such instruction.
double acuity_peak(acuity_isa isa, bool bf16, int64_t iterations);

/// The same for the matrix unit: `iterations` rounds of four products of tiles.
double acuity_tile_peak(int64_t iterations);

double acuity_seconds(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
