#!/usr/bin/env bash
# sanitize.sh: ./run check sanitize: the tests, the command and damaged files under the address sanitizer, and libvips' own count
# of what is still alive at the end. Any report fails. sanitize.sh ROOT [MINUTES of damaged files; 2].
#
# Not here: TorchEngineTests and TrainingTests (libtorch is not ours, and keeps what it allocates), and libvips and its
# decoders, which are not compiled with the sanitizer: of them only what they do through malloc, memcpy and the like is seen.
set -euo pipefail
root=$1 minutes=${2:-2}
build=$root/.build/sanitize
log=$build/log
say() { printf 'check sanitize: %s\n' "$*" >&2; }
failures=0
line() { # what, figure, goal, good
    printf '| %s | %s | %s | %s |\n' "$1" "$2" "$3" "$([[ $4 == 0 ]] && echo yes || echo '**no**')"
    [[ $4 == 0 ]] || failures=$((failures + 1))
}

say "building with the address sanitizer, in a folder of its own"
mkdir -p "$log"
options=(--package-path "$root" --scratch-path "$build" -c release --sanitize=address)
swift build "${options[@]}" --build-tests >"$log/build.txt" 2>&1 || { say "the build failed: $log/build.txt"; exit 1; }
acuity=$build/release/acuity

# What libraries lose themselves, each with its reason.
cat >"$log/suppressions.txt" <<'SUPPRESSIONS'
# x265 loses a table of 1168 bytes with every encoder (3.5).
leak:libx265
# Foundation loses 4096 bytes when it reads an empty file (6.3): a new manifest, once.
leak:readBytesFromFile
# XCTest's own runner, still there when the process ends, and the weak references of Foundation's Process, of the tests' tools.
leak:libXCTest
leak:Foundation7ProcessC
# What a global holds: where Swift packs a reference into an enumeration's spare bits, as Data does, it is not recognised as one.
leak:_WZ
# fontconfig's cache of fonts, for rendered text.
leak:libfontconfig
# OpenMP's threads, of ImageMagick.
leak:libgomp
SUPPRESSIONS
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=0:allocator_may_return_null=1:malloc_context_size=20
export LSAN_OPTIONS=suppressions=$log/suppressions.txt:print_suppressions=0

reports() { grep -c -E 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$1" || true; }
# Objects of libvips that outlive it, under VIPS_LEAK.
alive() { grep -c -E '^[0-9]+ (objects|VipsArea) alive|^memory: [1-9][0-9]* allocations|^files: [1-9][0-9]* open' "$1" || true; }

echo "| check | figure | goal | reached |"
echo "|---|---|---|---|"
suite() { # name, filter, VIPS_LEAK?
    local out=$log/$1.txt status=0 passed
    env ${3:+VIPS_LEAK=1} swift test "${options[@]}" --skip-build --filter "$2" </dev/null >"$out" 2>&1 || status=$?
    passed=$(sed -n 's/.*Test run with \([0-9]* tests\).*\(passed\|failed\).*/\1 \2/p' "$out" | tail -1)
    line "$1, address sanitizer${3:+, VIPS_LEAK=1}" "${passed:-did not run}, $(reports "$out") reports${3:+, $(alive "$out") left alive}" "passed, 0 reports${3:+, 0 left alive}" \
        "$([[ $status == 0 && $passed == *passed && $(reports "$out") == 0 && (-z ${3:-} || $(alive "$out") == 0) ]] && echo 0 || echo 1)"
    [[ $status == 0 ]] || say "$1 ended with $status; see $out"
}
suite Imaging ImagingTests leak
suite Acuity AcuityTests leak
suite Evaluation EvaluationTests leak
suite core SuperResolutionTests
suite engine NativeEngineTests
# These read what the command says on standard error, where libvips would put its count.
suite command AcuityCLITests

# The command itself, every format in and out.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$log/formats.txt status=0
: >"$out"
"$acuity" upscale "$root/Examples/logo.png" -o "$work/a.png" -n lanczos3 -s 0.5
# A thread may let go of its last picture just after the count: what is lost for good is lost every time.
attempt() {
    local try one=$log/one-command.txt
    for try in 1 2 3; do
        VIPS_LEAK=1 "$acuity" "$@" >"$one" 2>&1 && [[ $(alive "$one") == 0 ]] && break
        [[ $(reports "$one") == 0 ]] || break
    done
    cat "$one" >>"$out"
    [[ $(alive "$one") == 0 && $(reports "$one") == 0 ]] || { say "acuity $*: $(grep -m 1 -E 'ERROR|alive' "$one")"; status=1; }
}
for format in jpg png tif webp gif heic avif jxl jp2 bmp ppm; do
    attempt upscale "$work/a.png" -o "$work/b.$format" -n fast -s 2 --overwrite
    attempt upscale "$work/b.$format" -o "$work/c-$format.png" -n nearest -s 1 --overwrite
    attempt inspect "$work/b.$format"
done
line "11 formats written, read, inspected, VIPS_LEAK=1" "exit $status, $(reports "$out") reports, $(alive "$out") left alive" "exit 0, 0, 0" \
    "$([[ $status == 0 && $(reports "$out") == 0 && $(alive "$out") == 0 ]] && echo 0 || echo 1)"

status=0
python3 "$root/Benchmarks/check.py" --acuity "$acuity" --sanitized --minutes "$minutes" fuzz | sed 1,2d || status=1
[[ $status == 0 ]] || failures=$((failures + 1))
exit $((failures > 0))
