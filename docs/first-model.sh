#!/bin/sh
# From a folder of images and one of label images to a scored model of your own:
#     docs/first-model.sh IMAGES LABELS NAME [STEPS]
# Run it in the training environment (. .venv/training/bin/activate). It writes data/, runs/, models/ and evaluation/ into the
# current folder. STEPS is the number of training steps; without it, the plan chooses the number.
set -eu
images=$1
labels=$2
name=$3

# 1. Import images and labels into one layout, and split them into training and validation images.
cpunet data import --images "$images" --labels "$labels" -o "data/$name"

# 2. Check them: the report shows diameters, duplicates and broken labels. The script stops here if there is an error.
cpunet data check "data/$name" --report "data/$name-check.html"

# 3. Plan: write a configuration for these images and this machine, with a reason for each line.
cpunet train "$name.yaml" --plan --data data --sets "$name" ${4:+--steps "$4"}

# 4. Check the training before it takes hours. Look at runs/NAME/patches.png.
cpunet train "$name.yaml" --check --data data

# 5. Train. If it is stopped or killed, the same command resumes it.
cpunet train "$name.yaml" --data data

# 6. Export one ONNX file with its card; thresholds are tuned on the validation images.
cpunet export "runs/$name/weights.safetensors" -o "models/$name/model.onnx" --data data

# 7. Score it with the same code as CellProfiler, and open the report.
cpunet evaluate --model "models/$name" --data "data/$name" -o evaluation
python -m webbrowser "file://$PWD/evaluation/report.html"
