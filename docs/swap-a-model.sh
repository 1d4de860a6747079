#!/bin/sh
# From objects that you corrected in CellProfiler to a pipeline that runs with a model of your own:
#     docs/swap-a-model.sh [STEPS]
# in the training environment, in a folder with corrected/, new-images/ and pipeline.cppipe: docs/swap-a-model.md says
# what they are. STEPS is how long to fine-tune; the plan decides if it is left out.
set -eu
: "${CPUNET_MODELS:?set it to your models folder} ${PLUGINS:?set it to the folder plugins of this repository}"

# 1. The corrected objects become a data set. Errors in it end the walk.
cpunet data import --cellprofiler corrected --image-suffix _DNA --labels-suffix _Nuclei -o data/mine --modality fluorescence
cpunet data check data/mine

# 2. Fine-tune: the model that made the mistakes is the beginning.
cpunet train mine.yaml --plan --data data --sets mine --from nuclei_fluorescence ${1:+--steps "$1"}
cpunet train mine.yaml --data data

# 3. Export, and verify the file.
cpunet export runs/mine/weights.safetensors -o models/mine/model.onnx --data data
cpunet verify models/mine/model.onnx

# 4. Put it where the module and the commands look for models.
mkdir -p "$CPUNET_MODELS"
cp -R models/mine "$CPUNET_MODELS"
cpunet models

# 5. Both models on images that neither has seen: look at the outlines.
cpunet segment new-images/*.tiff -o results/nuclei_fluorescence --model nuclei_fluorescence
cpunet segment new-images/*.tiff -o results/mine --model mine

# 6. Choose it in the pipeline, and run that without a window.
sed 's/^    Select the model:.*/    Select the model:mine/' pipeline.cppipe > pipeline-mine.cppipe
mkdir -p results/cellprofiler
cellprofiler -c -r -p pipeline-mine.cppipe -i new-images -o results/cellprofiler --plugins-directory="$PLUGINS"
