#!/bin/sh
# make.sh: draws the twenty pictures, makes them small as the benchmarks do, enlarges them and puts crops side by side: Lanczos-3, photo, srgan,
# esrgan, and the drawing itself. Needs the built command, Python with numpy and Pillow ($PYTHON), and vips (libvips-tools).
set -eu
cd "$(dirname "$0")/../.."
acuity=.build/release/acuity
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" docs/adversarial/render.py "$work"
size=160 left=48 top=48
crop() { vips crop "$1" "$2" $left $top $size $size; }
for sheet in 1 2; do
    rows=''
    for picture in $(ls "$work"/[0-9]*.png | awk "NR > 10 * ($sheet - 1) && NR <= 10 * $sheet"); do
        name=$(basename "$picture" .png)
        mkdir "$work/$name"
        $acuity upscale "$picture" -o "$work/$name/low.png" -n bicubic -s 0.25 >&2
        row=''
        for model in lanczos3 photo srgan esrgan; do
            $acuity upscale "$work/$name/low.png" -o "$work/$name/$model.png" -n $model -s 4 >&2
            crop "$work/$name/$model.png" "$work/$name/$model-crop.png"
            row="$row $work/$name/$model-crop.png"
        done
        crop "$picture" "$work/$name/truth-crop.png"
        vips arrayjoin "${row# } $work/$name/truth-crop.png" "$work/$name/row.png" --across 5 --shim 4
        rows="$rows $work/$name/row.png"
    done
    vips arrayjoin "${rows# }" "docs/adversarial/crops-$sheet.jpg[Q=86,strip]" --across 1 --shim 4
done
