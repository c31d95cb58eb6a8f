#!/usr/bin/env bash
# bundle.sh: ./run check bundle: the GPU bundle on a machine that is not this one, as far as this one can play it: a bare
# folder, another libtorch than ours, no Swift and no libvips on the path. Trains, is stopped, resumes, hands back weights.
# bundle.sh ROOT [TORCH_VERSION] [MINUTES]; fetches that version's wheel from PyPI once, into the cache.
set -euo pipefail
root=$1 version=${2:-2.11.0} minutes=${3:-1.5}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/acuity
torch=$cache/torch-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf 'check bundle: %s\n' "$*" >&2; }
stop() { say "FAILED: $*"; exit 1; }

if [[ ! -d $torch/torch/lib ]]; then
    say "fetching libtorch $version"
    python3 -m pip install --quiet --no-deps --target "$torch" "torch==$version"
    python3 -m pip install --quiet --no-deps --target "$torch" nvidia-cuda-runtime nvidia-cuda-cupti || true
fi

# A recipe and shards small enough to be packed and trained in a minute, drawn here.
mkdir -p "$work/home/shards" "$work/there"
python=$cache/pillow/bin/python
"$python" - "$work/home" <<'PY'
import json, os, struct, sys
import numpy
here, random = sys.argv[1], numpy.random.default_rng(1)
def write(path, metadata, tensors):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": "U8", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)
def waves(side):
    y, x = numpy.mgrid[:side, :side]
    a, b, c = random.uniform(0.05, 0.6, 3)
    return numpy.stack([127 + 100 * numpy.sin(a * x + b * y + k) * numpy.cos(c * y - k) for k in range(3)], -1).astype(numpy.uint8)
write(f"{here}/shards/drawn.safetensors", {"format": "acuity-crops", "acuity.sources": "0123456789abcdef"}, {"crops": numpy.stack([waves(128) for _ in range(64)])})
write(f"{here}/shards/whole.safetensors", {"format": "acuity-images"}, {"a": waves(96), "b": waves(80)})
recipe = {"name": "drawn-x2", "architecture": {"name": "Compact", "features": 16, "convolutions": 2}, "scale": 2, "minutes": 30, "batch": 4,
          "patch": 24, "optimiser": {"name": "adam", "rate": 0.001}, "data": ["shards/drawn.safetensors"], "validation": "shards/whole.safetensors",
          "initialisation": "identity", "validate_every": 10, "checkpoint_every": 5}
json.dump(recipe, open(f"{here}/drawn-x2.json", "w"))
json.dump(dict(recipe, name="second"), open(f"{here}/second.json", "w"))
json.dump(dict(recipe, name="third", warm_start="runs/second/final.safetensors"), open(f"{here}/third.json", "w"))
PY
(cd "$work/home" && "$root/run" gpu-bundle drawn-x2.json second.json third.json -o bundle) >&2
tar xf "$work/home/bundle.tar" -C "$work/there"

# Tools, but neither Swift nor libvips nor pkg-config; no home, no cache.
mkdir "$work/bin"
for tool in bash sh env awk basename cat cksum cp cut date dirname find getconf grep head kill ldd ls mkdir mv rm sed sleep sort split stat tail tar touch tr chmod gzip g++ as ld uname; do
    ! place=$(command -v "$tool") || ln -s "$place" "$work/bin/$tool"
done
# The interpreter has Pillow; torch it finds by PYTHONPATH, as that of another machine would without.
ln -s "$(readlink -f "$python")" "$work/bin/python3"
site=$("$python" -c 'import PIL, os; print(os.path.dirname(os.path.dirname(PIL.__file__)))')
there() { (cd / && env -i PATH="$work/bin" HOME="$work/none" PYTHONPATH="$torch:$site" OUT="$work/out" "$work/there/bundle/train.sh" "$@"); }
! PATH=$work/bin command -v swift pkg-config vips || stop "the path still holds Swift or libvips"

code=0
there drawn-x2 second,third "$minutes" --device cpu || code=$?
[[ $code == 3 ]] || stop "the first piece ended with $code, not 3 (to be continued)"
[[ -s $work/out/drawn-x2/checkpoint.safetensors ]] || stop "no checkpoint came back"
say "stopped and handed back a checkpoint; going on in a fresh copy from what came back"
mv "$work/out" "$work/first"
rm -rf "$work/there/bundle"
tar xf "$work/home/bundle.tar" -C "$work/there"
code=0
there drawn-x2 second,third "$(python3 -c "print($minutes * 4)")" --from "$work/first" --device cpu --total "$minutes" || code=$?
[[ $code == 0 ]] || stop "the second piece ended with $code"
tar xzf "$work/out/records.tar.gz" -C "$work"
grep -q 'resumed at step' "$work/runs/drawn-x2/trainer.log" || stop "the second piece did not resume"
grep -q 'TFLOP/s' "$work/runs/drawn-x2/trainer.log" || stop "no throughput was reported"
grep -q 'tensors copied' "$work/runs/third/trainer.log" || stop "the third did not start from what the second left"
grep -q "libtorch $version" "$work/runs/drawn-x2/trainer.log" || stop "another libtorch was used"
"$python" - "$work/out/drawn-x2/final.safetensors" <<'PY' || stop "the weights that came back are not finite"
import json, struct, sys
import numpy
data = open(sys.argv[1], "rb").read()
(size,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + size])
values = numpy.frombuffer(data[8 + size:], numpy.float32)
print("weights:", len(values), "steps:", header["__metadata__"]["steps"], file=sys.stderr)
sys.exit(0 if len(values) > 1000 and numpy.isfinite(values).all() and values.std() > 0 else 1)
PY
(cd "$work/home" && "$root/run" gpu-collect "$work/out" >&2)
cmp "$work/home/runs/drawn-x2/final.safetensors" "$work/out/drawn-x2/final.safetensors" || stop "gpu-collect did not take the weights"
say "trained, stopped, resumed and handed back weights with libtorch $version and no Swift on the path"
