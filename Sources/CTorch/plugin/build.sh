#!/bin/sh
# Compiles the libtorch plug-in: build.sh TORCH_DIR [OUT]
# TORCH_DIR holds include/ and lib/ (the torch folder of a PyPI wheel, an unpacked libtorch, or /usr with Debian's
# libtorch-dev). Without OUT the plug-in goes to where the program looks for it and its path is printed.
set -eu
[ $# -ge 1 ] || { echo "usage: build.sh TORCH_DIR [OUT]" >&2; exit 2; }
torch=$1
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
abi=$(sed -n 's/^#define ACUITY_TORCH_ABI //p' "$here/../include/CTorch.h")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/acuity
out=${2:-$cache/libacuity_torch-$abi.so}
[ -f "$torch/include/ATen/ATen.h" ] || { echo "build.sh: no ATen/ATen.h under $torch/include" >&2; exit 1; }

# An unchanged source against the same libtorch is not compiled again.
stamp=$(cat "$here"/*.cpp "$here"/*.cu "$here"/*.h "$here"/../include/*.h "$0" | cksum | cut -d' ' -f1)-$(cd "$torch" && pwd)
if [ -f "$out" ] && [ "$(cat "$out.stamp" 2>/dev/null)" = "$stamp" ]; then echo "$out"; exit 0; fi

lib=$torch/lib
[ -f "$lib/libtorch_cpu.so" ] || lib=$(dirname "$(find "$torch/lib" -name libtorch_cpu.so 2>/dev/null | head -1)")
[ -f "$lib/libtorch_cpu.so" ] || { echo "build.sh: no libtorch_cpu.so under $torch/lib" >&2; exit 1; }
lib=$(cd "$lib" && pwd)
# Old versions have only the second of these, where new ones include the first.
version=$(cat "$torch/include/torch/headeronly/version.h" "$torch/include/torch/csrc/api/include/torch/version.h" 2>/dev/null || true)
major=$(echo "$version" | sed -n 's/^#define TORCH_VERSION_MAJOR //p' | head -1)
minor=$(echo "$version" | sed -n 's/^#define TORCH_VERSION_MINOR //p' | head -1)
standard=c++17
if [ "${major:-1}" -ge 2 ] && [ "${minor:-0}" -ge 15 ]; then standard=c++20; fi
# PyPI's wheels were compiled with the old std::string up to 2.5: the plug-in has to agree.
strings=
if grep -q torchCheckFailEPKcS2_jRKSs "$lib/libc10.so"; then strings=-D_GLIBCXX_USE_CXX11_ABI=0; fi
mkdir -p "$(dirname "$out")"
# libtorch.so itself holds nothing, but pulls in CUDA in a CUDA build.
libraries="-ltorch_cpu -lc10"
cuda=
fused=
# Nothing refers to the CUDA library by name: it registers its kernels when it is loaded. PyPI's wheel holds it also
# where CUDA's own libraries are missing; there it could not be loaded, and the plug-in is one for the processor.
# With ACUITY_TORCH_CUDA set the caller knows that CUDA works here.
if [ -f "$lib/libtorch_cuda.so" ] && { [ -n "${ACUITY_TORCH_CUDA:-}" ] || ! ldd "$lib/libtorch_cuda.so" 2>/dev/null | grep -q 'not found'; }; then
    libraries="$libraries -ltorch_cuda -lc10_cuda"
    # Recording steps for the GPU to repeat needs CUDA's own headers, which lie beside torch in a wheel or where CUDA is installed. Its
    # library comes with libtorch_cuda, so what is undefined here is found there.
    for folder in "${CUDA_HOME:-/usr/local/cuda}/include" "$torch"/../nvidia/*/include; do
        if [ -f "$folder/cuda_runtime_api.h" ]; then cuda="-DACUITY_CUDA -I$folder"; break; fi
    done
    # Kernels of our own need CUDA's compiler too.
    for nvcc in "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" "$(command -v nvcc || true)"; do
        [ -z "$cuda" ] || [ ! -x "$nvcc" ] || { fused=$out.fused.o; break; }
    done
    if [ -n "$fused" ] && ! "$nvcc" -O3 -std=c++17 -Xcompiler -fPIC "-arch=${ACUITY_CUDA_ARCH:-native}" -c "$here/fused.cu" -o "$fused"; then fused=; fi
fi

compiler=${CXX:-}
if [ -z "$compiler" ]; then
    for candidate in g++ clang++ c++; do
        if command -v $candidate >/dev/null 2>&1; then compiler=$candidate; break; fi
    done
fi
[ -n "$compiler" ] || { echo "build.sh: no C++ compiler (g++ or clang++)" >&2; exit 1; }

# Without errno a square root is one instruction for many numbers; without traps both sides of a choice may be computed.
compile() {
    $compiler -O3 -fno-math-errno -fno-trapping-math -std=$standard -shared -fPIC -pthread -fvisibility=hidden -w -Wno-psabi $strings $1 \
        -I"$torch/include" -I"$torch/include/torch/csrc/api/include" \
        "$here/acuity_torch.cpp" -o "$out.tmp" \
        -L"$lib" -Wl,--no-as-needed $libraries -Wl,-rpath,"$lib" $2 -Wl,--allow-shlib-undefined
}
# An old or odd CUDA costs our kernels or the recording of steps, not the training.
complete() { ! ldd -r "$out.tmp" 2>&1 | grep 'undefined symbol' | grep -qF "($out.tmp)"; }
{ [ -n "$fused" ] && compile "$cuda -DACUITY_FUSED $fused" "" && complete; } ||
    { [ -n "$cuda" ] && compile "$cuda" "" && complete; } ||
    compile "" -Wl,-z,defs
[ -z "$fused" ] || rm -f "$fused"
mv "$out.tmp" "$out"
echo "$stamp" > "$out.stamp"
echo "$out"
