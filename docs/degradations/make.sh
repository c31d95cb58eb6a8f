#!/bin/sh
# Makes the pictures of docs/degradations.md: make.sh [ACUITY], from the repository's folder.
set -eu
acuity=${1:-acuity}
out=docs/degradations
show() { # NAME SEED MODEL: the picture and its low resolution side by side
    "$acuity" degrade Examples/harbour.png -o "$out/$1.jpg" --scale 2 --seed "$2" --model "$3" --compare --overwrite
}
small() { # FILE SEED MODEL: the low resolution alone
    "$acuity" degrade Examples/harbour.png -o "$out/$1" --scale 2 --seed "$2" --model "$3" --overwrite
}
show bicubic 1 bicubic
show classical 6 classical
show bsrgan 7 bsrgan
show real-esrgan 7 real-esrgan
show camera 8 camera
show screenshot 8 screenshot

# One defect of the camera at a time, and strong.
none='"defocus": 0, "motion": 0, "aberration": 0, "vignetting": 0, "sensor": 0, "sharpening": 0, "compressed": 0'
only() { # NAME SEED CHANGES
    small "camera-$1.jpg" "$2" "{\"name\": \"camera\", $(echo "$none" | sed "$3")}"
}
only defocus 1 's/"defocus": 0/"defocus": 1, "defocus_radius": [5, 5]/'
only motion 1 's/"motion": 0/"motion": 1, "motion_length": [16, 16]/'
only aberration 2 's/"aberration": 0/"aberration": 1, "aberration_shift": [-5, 5]/'
only vignetting 1 's/"vignetting": 0/"vignetting": 1, "vignetting_strength": [0.6, 0.6]/'
only sensor 1 's/"sensor": 0/"sensor": 1, "sensor_noise": {"shot": [0.005, 0.005]}/'
only sharpening 1 's/"sharpening": 0/"sharpening": 1, "sharpening_weight": [3, 3]/'

# One operation of screens at a time.
screen='"name": "screenshot", "zoomed": 0, "reductions": ["area"], "compressed": 0'
small screenshot-zoom.png 1 '{"name": "screenshot", "zoomed": 1, "zooms": [0.67], "methods": ["nearest"], "palette": 0, "compressed": 0}'
small screenshot-palette.png 1 "{$screen, \"palette\": 1, \"colours\": [12, 12], \"dithered\": 0}"
small screenshot-dither.png 1 "{$screen, \"palette\": 1, \"colours\": [12, 12], \"dithered\": 1, \"dither\": [0.5, 0.5]}"
