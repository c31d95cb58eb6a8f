#!/usr/bin/env bash
# arm.sh: ./run check arm: the kernels compiled for 64-bit ARM and run under qemu's emulation, against the scalar ones. arm.sh ROOT
set -euo pipefail
root=$1
for tool in clang qemu-aarch64-static; do
    command -v "$tool" >/dev/null || { echo "check arm: needs $tool (Debian: qemu-user-static libc6-dev-arm64-cross)" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clang --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -B/usr/aarch64-linux-gnu/lib -L/usr/aarch64-linux-gnu/lib \
    -fuse-ld=lld -static -O2 -Wall -Wextra -Werror -I"$root/Sources/CKernels/include" "$root"/Sources/CKernels/*.c "$root/Benchmarks/arm.c" \
    -o "$work/arm" -lm -lpthread
qemu-aarch64-static "$work/arm"
