#!/usr/bin/env bash
# train.sh: trains recipes of this bundle, all at the same time or, joined by commas, one after the other, in one piece of
# at most MINUTES on the clock, set-up included. A run that is cut short leaves a checkpoint, and the next call goes on from it.
# Needs a Python that has PyTorch (1.13 or later, for CUDA or not) and a C++ compiler; no Swift, no network.
set -euo pipefail

usage() {
    cat >&2 <<'TEXT'
usage: train.sh RECIPE[,RECIPE…]… MINUTES [options]
  --out FOLDER     where weights and records are handed back (default $OUT, else ./out)
  --from FOLDER    go on from what an earlier piece handed back
  --device D       cpu or cuda (default: cuda if there is one)
  --total MINUTES  length of the whole run, all pieces together, instead of the recipe's
  --threads N      for each recipe on the CPU (default: the cores, shared)
$PYTHON names the interpreter (default python3), $TORCH a folder with include/ and lib/ instead of the interpreter's.
Exit: 0 all recipes finished, 1 one failed, 2 wrong usage, 3 call again to go on.
TEXT
    exit 2
}

began=$(date +%s)
started_in=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${PYTHON:-python3}
out=${OUT:-out} from='' device='' total=() threads='' chains=() names=()
while (( $# )); do
    case $1 in
    --out | --from | --device | --total | --threads) (( $# > 1 )) || usage ;;&
    --out) out=$2; shift 2 ;;
    --from) from=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --total) total=(--minutes "$2"); shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    -*) usage ;;
    *) chains+=("$1"); shift ;;
    esac
done
(( ${#chains[@]} >= 2 )) || usage
minutes=${chains[-1]}
unset 'chains[-1]'
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage
[[ $out == /* ]] || out=$started_in/$out
[[ -z $from || $from == /* ]] || from=$started_in/$from

say() { printf 'train.sh: [%s s] %s\n' "$(($(date +%s) - began))" "$*" >&2; }
stop() { say "$*"; exit 1; }

for i in "${!chains[@]}"; do
    chain=''
    for name in ${chains[i]//,/ }; do
        name=$(basename "$name" .json)
        [[ -f recipes/$name.json ]] || stop "there is no recipe $name; here are: $(cd recipes && echo ./*.json)"
        names+=("$name")
        chain+=${chain:+,}$name
    done
    chains[i]=$chain
done
command -v "$python" >/dev/null || stop "there is no $python"

# The plug-in is compiled while the shards are unpacked.
torch=${TORCH:-$("$python" -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.dirname(s.origin) if s else "")')}
[[ -n $torch ]] || stop "$python has no torch; set PYTHON to an interpreter that has it, or TORCH to its folder"
if [[ -z $device ]]; then
    device=$("$python" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")' 2>/dev/null) || device=cpu
fi
[[ $device != cuda* ]] || export ACUITY_TORCH_CUDA=1
# CUDA's own libraries lie beside torch in a wheel; a compiled plug-in has to find them without Python.
for folder in "$torch"/lib "$torch"/../nvidia/*/lib; do
    [[ ! -d $folder ]] || LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
done
export LD_LIBRARY_PATH
[[ -x acuity-trainer ]] || {
    "$python" -c 'import lzma, shutil; shutil.copyfileobj(lzma.open("acuity-trainer.xz"), open("acuity-trainer.tmp", "wb"))'
    chmod +x acuity-trainer.tmp
    mv acuity-trainer.tmp acuity-trainer
}
export ACUITY_TORCH=$PWD/plugin-$device.so
sh CTorch/plugin/build.sh "$torch" "$ACUITY_TORCH" >build.log 2>&1 &
building=$!
"$python" unpack.py || { kill $building 2>/dev/null || true; stop "the shards cannot be unpacked"; }
wait $building || stop "the plug-in does not compile against $torch: $(tail -n 1 build.log)"
say "plug-in compiled against $torch, shards unpacked; training on $device"

# How fast this device multiplies, as the yardstick. A single recipe measures it in its own process.
measure=(--measure)
if (( ${#names[@]} > 1 )); then
    measure=()
    rate=$(./acuity-trainer --measure --device "$device") && measure=(--matrix-rate "$rate")
fi
[[ -n $threads ]] || threads=$(( ($(getconf _NPROCESSORS_ONLN) + ${#chains[@]} - 1) / ${#chains[@]} ))

# Paths in recipes are relative to this folder.
cd work
for name in "${names[@]}"; do
    run=runs/$name
    mkdir -p "$run"
    if [[ -n $from && ! -f $run/checkpoint.safetensors ]]; then
        # Large files are handed back in pieces.
        pieces=("$from/$name"/checkpoint.safetensors*)
        [[ ! -f ${pieces[0]} ]] || cat "${pieces[@]}" >"$run/checkpoint.safetensors"
    fi
done

# Trains the recipes of a chain in order. How each ended is left in its folder; one that has finished is not begun again.
train_chain() {
    local name code trainer='' stopped=''
    trap 'stopped=1; [[ -z $trainer ]] || kill -TERM "$trainer" 2>/dev/null || true' TERM
    trap - EXIT
    for name in ${1//,/ }; do
        [[ $(cat "runs/$name/ended" 2>/dev/null) != 0 || -n ${total[*]-} ]] || continue
        [[ -z $stopped ]] || exit 0
        ../acuity-trainer "../recipes/$name.json" --output "runs/$name" --resume --json --device "$device" --threads "$threads" \
            ${total[@]+"${total[@]}"} ${measure[@]+"${measure[@]}"} >>"runs/$name/trainer.jsonl" 2>>"runs/$name/trainer.log" &
        trainer=$!
        [[ -z $stopped ]] || kill -TERM "$trainer" 2>/dev/null || true
        code=0
        wait "$trainer" || code=$?
        # The signal ends the wait before the trainer has saved.
        while kill -0 "$trainer" 2>/dev/null; do code=0; wait "$trainer" || code=$?; done
        echo "$code" >"runs/$name/ended"
        (( code == 0 )) || exit 0
    done
}
declare -A process=()
finish() { for chain in "${!process[@]}"; do kill -TERM "${process[$chain]}" 2>/dev/null || true; done; }
stopping=''
trap 'stopping=1' TERM INT
trap finish EXIT
for name in "${names[@]}"; do [[ $(cat "runs/$name/ended" 2>/dev/null) == 0 ]] || rm -f "runs/$name/ended"; done
for chain in "${chains[@]}"; do
    train_chain "$chain" &
    process[$chain]=$!
done

# What saving and handing back may take, out of the piece: 20 s, or a quarter of a very short one. A trainer that has just
# begun is left the time to begin.
deadline=$("$python" -c "m = $minutes * 60; print(max(int($began + m - min(20, m / 4)), $(date +%s) + 5))")
alive() { for chain in "${chains[@]}"; do ! kill -0 "${process[$chain]}" 2>/dev/null || return 0; done; return 1; }
shown=$began
while alive && [[ -z $stopping ]] && (( $(date +%s) < deadline )); do
    sleep 1 &
    wait $! || true  # a signal ends the wait, not the sleep
    if (( $(date +%s) - shown >= 60 )); then
        shown=$(date +%s)
        for name in "${names[@]}"; do
            [[ ! -f runs/$name/trainer.log || -f runs/$name/ended ]] || say "$name: $(tail -n 1 "runs/$name/trainer.log")"
        done
    fi
done
finish
code=0
for chain in "${chains[@]}"; do wait "${process[$chain]}" || true; done
declare -A ended=()
for name in "${names[@]}"; do ended[$name]=$(cat "runs/$name/ended" 2>/dev/null || echo 3); done  # 3: its turn did not come
trap - EXIT

# Hands back: final weights of what is finished, the checkpoint of what is not, and every record in one archive.
mkdir -p "$out"
hand_back() {
    local size
    size=$(stat -c %s "$1")
    mkdir -p "$out/$2"
    rm -f "$out/$2/$(basename "$1")"*
    if (( size <= 15728640 )); then cp "$1" "$out/$2/"; else split -b 15728640 -d "$1" "$out/$2/$(basename "$1")."; fi
}
for name in "${names[@]}"; do
    case ${ended[$name]} in
    0) say "$name: finished"; hand_back "runs/$name/final.safetensors" "$name" ;;
    3 | 143) say "$name: to be continued"; (( code )) || code=3 ;;  # 143: before its first step
    *) say "$name: failed with ${ended[$name]}"; code=1 ;;
    esac
    if (( ended[$name] != 0 )) && [[ -f runs/$name/checkpoint.safetensors ]]; then
        hand_back "runs/$name/checkpoint.safetensors" "$name"
    fi
    [[ ! -f runs/$name/trainer.log ]] || tail -n 5 "runs/$name/trainer.log" >&2
done
tar czf "$out/records.tar.gz" --exclude='*.safetensors' --exclude='*.tmp' "${names[@]/#/runs/}" -C .. build.log contents.json
say "handed back: $(cd "$out" && find . -type f | sort | tr '\n' ' ')"
exit $code
