#!/usr/bin/env bash
# One visit to a machine with a GPU and without a network: train the models that ship, and prove the runtime there.
#
#   benchmarks/gpu_visit.sh PACKED OUTPUT ["WAVE" ...]
#
# PACKED   the file that benchmarks.gpu_visit.pack wrote
# OUTPUT   a folder; gets NAME.safetensors of each run (renewed each minute), logs.tar, gpu_runtime.md and
#          speed/gpu.json, images a second beside the CPU, for `benchmarks.speed table`
# WAVE     names of configurations that train side by side: NAME.yaml in benchmarks/gpu_visit, benchmarks/generalization
#          or runs/visit, or models/NAME/train.yaml. The next wave begins when they are done, and has them as teachers
#          by their names.
#
# Environment:
#   WHEELS     a folder of wheels that this machine lacks (default: .whl)
#   LIMIT_S    seconds after which trainings are stopped and their last checkpoints kept (480)
#   STEPS      train so many steps instead of what the configurations say; 10 for a trial on a CPU
#   PYTHON     the Python with torch and lightning (python3)
#   ORT        onnxruntime-gpu, unpacked into a folder, for the proof of the runtime and its speed; without it, neither
set -euo pipefail
cd "$(dirname "$0")/.."
packed=$1 output=$2
shift 2
# Beside an H100, 16 cores are busy preparing patches for three or four runs, and the GPU waits for half of the time.
[ $# -gt 0 ] || set -- "nuclei_fluorescence_large nuclei_generalist" "without_mnfinder_and_aitslab"
python=${PYTHON:-python3} wheels=${WHEELS:-.whl} limit=${LIMIT_S:-480}
began=$SECONDS
work=runs/visit
site=$PWD/$work/site
mkdir -p "$output" "$work" "$site/cpunet"
# The packages as setup.py lays them out, without an installation.
cp -r plugins/cpunet/. "$site/cpunet/"
for part in training export models; do rm -rf "$site/cpunet/$part"; cp -r "$part" "$site/cpunet/"; done
if compgen -G "$wheels/*.whl" >/dev/null; then
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" "$wheels"/*.whl
fi
export PYTHONPATH=$site:$PWD PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
[ -d "$work/data" ] || "$python" -m benchmarks.gpu_visit.pack --unpack "$packed" "$work/data"
echo "set up after $((SECONDS - began)) s"

configuration() {
    for file in benchmarks/gpu_visit/"$1".yaml benchmarks/generalization/"$1".yaml "$work/$1.yaml" "models/$1/train.yaml"; do
        if [ -f "$file" ]; then echo "$file" && return; fi
    done
    echo "there is no configuration for $1" >&2
    return 1
}
names=($(printf '%s\n' "$@" | tr ' ' '\n'))
collect() {
    "$python" -m benchmarks.gpu_visit.collect "$output" "${names[@]/#/$work/}" || true
    tar -cf "$output/logs.tar" -C "$work" $(cd "$work" && ls ./*.log */logs/version_*/metrics.csv */curves.png 2>/dev/null)
}

(while sleep 60; do collect >/dev/null 2>&1; done) &
collector=$!
trap 'kill $collector 2>/dev/null || true' EXIT
for wave in "$@"; do
    running=()
    for name in $wave; do
        remaining=$((limit - (SECONDS - began)))
        [ "$remaining" -gt 5 ] || { echo "$name: no time is left"; continue; }
        timeout --signal=KILL "$remaining" "$python" -m cpunet train "$(configuration "$name")" --data "$work/data" \
            --run "$work/$name" ${STEPS:+--steps "$STEPS"} >"$work/$name.log" 2>&1 &
        running+=($!)
    done
    for process in ${running[@]+"${running[@]}"}; do wait "$process" || true; done
    for name in $wave; do
        state=stopped
        if [ -f "$work/$name/weights.safetensors" ]; then
            state=finished
            mkdir -p "$site/cpunet/models/$name" && cp "$work/$name/weights.safetensors" "$site/cpunet/models/$name/"
        fi
        echo "$name: $state after $((SECONDS - began)) s: $(tr '\r' '\n' <"$work/$name.log" | grep -a '^Epoch' | tail -1 | cut -c1-160)"
    done
done
kill $collector 2>/dev/null || true
collect
if [ -n "${ORT:-}" ]; then
    # onnxruntime finds torch's CUDA libraries beside its own folder.
    ln -sfn "$("$python" -c 'import nvidia; print(list(nvidia.__path__)[0])')" "$ORT/nvidia"
    PYTHONPATH=$ORT:$site:$PWD "$python" -m benchmarks.gpu_runtime models/nuclei_fluorescence/model.onnx |
        tee "$output/gpu_runtime.md"
    PYTHONPATH=$ORT:$site:$PWD "$python" -m benchmarks.speed gpu --output "$output/speed" ||
        echo "the speed of the GPU was not measured"
fi
echo "done after $((SECONDS - began)) s"
