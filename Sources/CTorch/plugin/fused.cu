// Fused: bias and PReLU of a convolution's output in one pass over memory each way, for CUDA. Compiled by nvcc where there is one.
//
// libtorch takes about ten passes for the two, which on a GPU cost more than the convolution between 64 channels itself.
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

namespace {

constexpr int lanes = 8;  // values of a 16-byte access

struct alignas(16) Values {
    __nv_bfloat16 v[lanes];
};

// A thread always meets the same `lanes` channels: the number of threads is a multiple of the groups of channels in a pixel.

__global__ void forward(Values *z, const float *bias, const float *slope, Values *out, int64_t vectors, int groups) {
    const int64_t first = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = int64_t(gridDim.x) * blockDim.x;
    const int channel = int(first % groups) * lanes;
    float b[lanes], a[lanes];
    for (int k = 0; k < lanes; k++) {
        b[k] = bias[channel + k];
        a[k] = slope[channel + k];
    }
    for (int64_t i = first; i < vectors; i += step) {
        Values x = z[i], y;
        for (int k = 0; k < lanes; k++) {
            x.v[k] = __float2bfloat16(__bfloat162float(x.v[k]) + b[k]);
            const float value = __bfloat162float(x.v[k]);
            y.v[k] = __float2bfloat16(value > 0 ? value : a[k] * value);
        }
        z[i] = x;
        out[i] = y;
    }
}

__global__ void backward(const Values *z, const Values *gradient, const float *slope, Values *out, float *biasGradient, float *slopeGradient,
                         int64_t vectors, int groups) {
    extern __shared__ float sums[];  // of the bias, then of the slope
    const int channels = groups * lanes;
    for (int i = threadIdx.x; i < 2 * channels; i += blockDim.x) sums[i] = 0;
    __syncthreads();

    const int64_t first = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = int64_t(gridDim.x) * blockDim.x;
    const int channel = int(first % groups) * lanes;
    float a[lanes], db[lanes] = {}, da[lanes] = {};
    for (int k = 0; k < lanes; k++) a[k] = slope[channel + k];
    for (int64_t i = first; i < vectors; i += step) {
        const Values x = z[i], g = gradient[i];
        Values d;
        for (int k = 0; k < lanes; k++) {
            const float value = __bfloat162float(x.v[k]), slopeHere = __bfloat162float(g.v[k]);
            const float passed = value > 0 ? slopeHere : a[k] * slopeHere;
            d.v[k] = __float2bfloat16(passed);
            db[k] += passed;
            da[k] += value > 0 ? 0 : value * slopeHere;
        }
        out[i] = d;
    }
    for (int k = 0; k < lanes; k++) {
        atomicAdd(&sums[channel + k], db[k]);
        atomicAdd(&sums[channels + channel + k], da[k]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < channels; i += blockDim.x) {
        atomicAdd(&biasGradient[i], sums[i]);
        atomicAdd(&slopeGradient[i], sums[channels + i]);
    }
}

struct Shape {
    int blocks, threads, groups;
    int64_t vectors;
};

Shape shape(int64_t pixels, int channels) {
    Shape s;
    s.groups = channels / lanes;
    s.threads = 256 / s.groups * s.groups;
    s.vectors = pixels * s.groups;
    const int64_t wanted = (s.vectors + s.threads - 1) / s.threads;
    s.blocks = int(wanted < 1056 ? wanted : 1056);  // eight for each of 132 multiprocessors
    return s;
}

}  // namespace

/// z is pixels×channels bf16, a convolution's output: gets the bias added, and `out` is its PReLU. Channels: a multiple of 8, at most 2048.
extern "C" int acuity_bias_prelu_forward(void *z, const float *bias, const float *slope, void *out, int64_t pixels, int channels, void *stream) {
    const Shape s = shape(pixels, channels);
    forward<<<s.blocks, s.threads, 0, static_cast<cudaStream_t>(stream)>>>(
        static_cast<Values *>(z), bias, slope, static_cast<Values *>(out), s.vectors, s.groups);
    return cudaGetLastError();
}

/// The gradient at z from that at the output, and added to `biasGradient` and `slopeGradient` their sums.
extern "C" int acuity_bias_prelu_backward(const void *z, const void *gradient, const float *slope, void *out, float *biasGradient,
                                          float *slopeGradient, int64_t pixels, int channels, void *stream) {
    const Shape s = shape(pixels, channels);
    backward<<<s.blocks, s.threads, 2 * channels * sizeof(float), static_cast<cudaStream_t>(stream)>>>(
        static_cast<const Values *>(z), static_cast<const Values *>(gradient), slope, static_cast<Values *>(out), biasGradient, slopeGradient,
        s.vectors, s.groups);
    return cudaGetLastError();
}
