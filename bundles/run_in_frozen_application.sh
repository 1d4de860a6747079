#!/bin/sh
# Freeze CellProfiler with PyInstaller 4.10 as its published application is, but for Linux and without the window. Then
# run a field of ExampleFly in it, with the module from dist/cpunet-*-linux.zip. Takes two minutes. Run `make bundles`
# first. The tests do not run this script.
set -eu
cd "$(dirname "$0")/.."
host="$PWD/.venv/cellprofiler"
work="$PWD/.cache/frozen"
set -- dist/cpunet-*-linux.zip
[ $# -eq 1 ] && [ -f "$1" ] || { echo "Exactly one dist/cpunet-*-linux.zip is needed; run: make bundles" >&2; exit 1; }
bundle="$PWD/$1"
JAVA_HOME="$(scripts/need_jdk_and_compiler.sh)"
version="$("$host/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
export JAVA_HOME

rm -rf "$work"
mkdir -p "$work"
# Not under .cache: the pipeline leaves out images in hidden folders.
run="$(mktemp -d)"
trap 'rm -rf "$run"' EXIT
mkdir "$run/images"
"$(scripts/need_python.sh "$version")" -m venv "$work/pyinstaller"
"$work/pyinstaller/bin/python" -m pip --disable-pip-version-check install --quiet \
    pyinstaller==4.10 pyinstaller-hooks-contrib==2022.0 "setuptools<66"
echo "$host/lib/python$version/site-packages" >"$work/pyinstaller/lib/python$version/site-packages/host.pth"
cat >"$work/start.py" <<'PYTHON'
import cellprofiler.__main__

cellprofiler.__main__.main()
PYTHON
echo "freezing CellProfiler in $work (its log: freeze.log) ..."
CPUNET_START_SCRIPT="$work/start.py" "$work/pyinstaller/bin/pyinstaller" --noconfirm --distpath "$work" \
    --workpath "$work/build" bundles/frozen_cellprofiler.spec >"$work/freeze.log" 2>&1

"$host/bin/python" -m zipfile -e "$bundle" "$run"
fly="$host/lib/python$version/site-packages/cellprofiler/data/examples/ExampleFly"
cp "$fly"/images/01_POS002_* "$run/images"
PYTHONPATH=plugins:. "$host/bin/python" -W ignore -c "
import sys
from tests import start_host
from benchmarks.pipeline_text import replace_primary_objects
sys.stdout.write(replace_primary_objects(open(sys.argv[1], encoding='utf-8').read()))
" "$fly/ExampleFly.cppipe" >"$run/fly.cppipe"
cd "$run"
env -u PYTHONPATH "$work/CellProfiler/CellProfiler" -c -r -p fly.cppipe -i images -o output \
    --plugins-directory="$PWD/cpunet-plugins" >run.log 2>&1 || { tail -20 run.log >&2; exit 1; }
grep -h IdentifyObjectsUNet run.log
"$host/bin/python" -c "
import csv
(row,) = csv.DictReader(open('output/Image.csv', encoding='utf-8'))
print('nuclei found:', row['Count_Nuclei'])"
