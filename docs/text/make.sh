#!/usr/bin/env bash
# make.sh: makes twelve small pictures with letters, and the results side by side, here. make.sh ACUITY [PYTHON], Python with Pillow.
# TEXT names weights to take instead of the installed model `text`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) acuity=$1 python=${2:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/render.py" draw "$work"
for truth in "$work"/*.truth.png; do
    small=${truth%.truth.png}
    if [[ -e $small.png ]]; then source=$small.png; else source=$small.jpg; fi
    for method in lanczos3 fast text; do
        [[ $method == text ]] && model=${TEXT:-text} || model=$method
        "$acuity" upscale "$source" -o "$small.$method.png" -n "$model" -s 4
    done
done
"$python" "$here/render.py" sheet "$work" "$here"
