#!/bin/sh
# From a folder of images and one of label images to a scored model of your own:
#     docs/first-model.sh IMAGES LABELS NAME [STEPS]
# in the training environment (. .venv/training/bin/activate). Everything goes below the folder that you stand in: data/,
# runs/, models/ and evaluation/. STEPS is how long to train; the plan decides if it is left out.
set -eu
images=$1
labels=$2
name=$3

# 1. Bring images and labels into one layout, with a split into training and validation images.
cpunet data import --images "$images" --labels "$labels" -o "data/$name"

# 2. Look them over: the page shows diameters, duplicates, and labels that are broken. Errors end the walk here.
cpunet data check "data/$name" --report "data/$name-check.html"

# 3. Plan: a configuration that fits the images and this machine, with a reason for each line.
cpunet train "$name.yaml" --plan --data data --sets "$name" ${4:+--steps "$4"}

# 4. Check before hours are spent. Look at runs/NAME/patches.png.
cpunet train "$name.yaml" --check --data data

# 5. Train. Stopped or killed, it goes on when the same command is given again.
cpunet train "$name.yaml" --data data

# 6. One ONNX file with its card: thresholds are tuned on the validation images.
cpunet export "runs/$name/weights.safetensors" -o "models/$name/model.onnx" --data data

# 7. Score it as CellProfiler will run it, and open the report.
cpunet evaluate --model "models/$name" --data "data/$name" -o evaluation
python -m webbrowser "file://$PWD/evaluation/report.html"
