#!/bin/sh
# From objects that you corrected in CellProfiler to a pipeline that runs with a model of your own:
#     docs/swap-a-model.sh [STEPS]
# Run it in the training environment, in a folder with corrected/, new-images/ and pipeline.cppipe: see
# docs/swap-a-model.md. STEPS is the number of fine-tuning steps; without it, the plan chooses the number.
set -eu
: "${CPUNET_MODELS:?set it to your models folder} ${PLUGINS:?set it to the folder plugins of this repository}"

# 1. Make a data set from the corrected objects. The script stops here if the set has an error.
cpunet data import --cellprofiler corrected --image-suffix _DNA --labels-suffix _Nuclei -o data/mine --modality fluorescence
cpunet data check data/mine

# 2. Fine-tune the model that made the mistakes.
cpunet train mine.yaml --plan --data data --sets mine --from nuclei_fluorescence_1 ${1:+--steps "$1"}
cpunet train mine.yaml --data data

# 3. Export, and verify the file.
cpunet export runs/mine/weights.safetensors -o models/mine/model.onnx --data data
cpunet verify models/mine/model.onnx

# 4. Copy it into the models folder.
mkdir -p "$CPUNET_MODELS"
cp -R models/mine "$CPUNET_MODELS"
cpunet models

# 5. Run both models on images that neither was trained on; compare the outlines.
cpunet segment new-images/*.tiff -o results/nuclei_fluorescence_1 --model nuclei_fluorescence_1
cpunet segment new-images/*.tiff -o results/mine --model mine

# 6. Choose the model in the pipeline, and run the pipeline without a window.
sed 's/^    Select the model:.*/    Select the model:mine/' pipeline.cppipe > pipeline-mine.cppipe
mkdir -p results/cellprofiler
cellprofiler -c -r -p pipeline-mine.cppipe -i new-images -o results/cellprofiler --plugins-directory="$PLUGINS"
