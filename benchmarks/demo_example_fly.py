"""Run CellProfiler's own ExampleFly pipeline twice: as it is, and with IdentifyObjectsUNet in it.

Both runs see the same images. Three modules are appended to both pipelines, which save the nuclei's labels and image.
Both modules' nuclei are then outlined on each field, and counts and seconds are listed.
"""

import argparse
import csv
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.patches
import matplotlib.pyplot as plt
import numpy as np
from skimage.io import imread
from skimage.segmentation import find_boundaries

REPOSITORY = Path(__file__).resolve().parents[1]
PLUGINS = REPOSITORY / "plugins"
sys.path[:0] = [str(PLUGINS), str(REPOSITORY)]

from benchmarks.pipeline_text import PRIMARY, UNET, example_folder, replace_primary_objects, save_nuclei
from cpunet.files.overlay import gray_picture
from cpunet.files.written_beside import written_beside

# Orange and sky blue, which color-blind people can distinguish.
COLORS = {PRIMARY: "#ff9d2e", UNET: "#27d3f5"}
ZOOM = 4
MARK = "made-by-demo.txt"


def run_cellprofiler(pipeline: Path, images: Path, output: Path) -> None:
    """Run a pipeline headless, as a user would, with its log in output/run.log; end with the log if that fails."""
    output.mkdir(parents=True, exist_ok=True)
    command = [
        str(Path(sys.executable).with_name("cellprofiler")),
        *["-c", "-r", "-p", str(pipeline), "-i", str(images), "-o", str(output)],
        f"--plugins-directory={PLUGINS}",
    ]
    log = output / "run.log"
    with log.open("w", encoding="utf-8") as stream:
        code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False).returncode
    if code or not (output / "Image.csv").is_file():
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        sys.exit(f"CellProfiler exited with {code}; the end of {log}:\n{tail}")


def summarize(runs: Dict[str, Path]) -> List[Dict[str, Any]]:
    """Read from both runs' Image.csv each field's name, and for each module the number of nuclei and the seconds."""
    tables = []
    for folder in runs.values():
        with (folder / "Image.csv").open(newline="", encoding="utf-8") as stream:
            tables.append(list(csv.DictReader(stream)))
    fields = []
    for rows in zip(*tables):
        name = Path(rows[0]["FileName_OrigBlue"]).stem
        modules = {}
        for module, row in zip(runs, rows):
            seconds = next(float(row[key]) for key in row if key.startswith("ExecutionTime_") and key.endswith(module))
            modules[module] = {"nuclei": int(float(row["Count_Nuclei"])), "seconds": seconds}
        fields.append({"field": name, "overlay": f"{name}_overlay.png", "modules": modules})
    return fields


def draw_overlay(path: Path, image: np.ndarray, labels: Dict[str, np.ndarray]) -> None:
    """Write a PNG of a field (Y, X), plain and with the outlines of each module's labels (Y, X).

    Outlines of the first module lie outside its objects and those of the second inside, so that both are seen where
    the modules agree.
    """
    enlarged = np.kron(gray_picture(image), np.ones((ZOOM, ZOOM, 1), np.uint8))
    outlined = enlarged.copy()
    for (module, found), side in zip(labels.items(), ("outer", "inner")):
        rim = find_boundaries(np.kron(found, np.ones((ZOOM, ZOOM), found.dtype)), mode=side)
        outlined[rim] = [round(255 * part) for part in matplotlib.colors.to_rgb(COLORS[module])]
    figure, axes = plt.subplots(1, 2, figsize=(13, 7.6), layout="constrained")
    for axis, shown, title in zip(axes, (enlarged, outlined), ("DNA", "outlines")):
        axis.imshow(shown, interpolation="nearest")
        axis.set_title(title)
        axis.axis("off")
    handles = [
        matplotlib.patches.Patch(color=COLORS[module], label=f"{module}: {len(np.unique(found)) - 1} nuclei")
        for module, found in labels.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncol=2, fontsize=12, frameon=False)
    figure.suptitle(path.stem.replace("_overlay", ""))
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=100)
    plt.close(figure)


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration and return 0; return or exit with 1, and the reason, if it cannot run."""
    import cellprofiler_core.preferences

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    output = parser.parse_args(arguments).output
    if output.exists() and not (output / MARK).is_file():
        print(f"{output} exists and is not from an earlier demonstration; choose another --output.")
        return 1
    cellprofiler_core.preferences.set_headless()
    cellprofiler_core.preferences.set_plugin_directory(str(PLUGINS), globally=False)
    logging.disable(logging.WARNING)  # that CellProfiler's modules for MySQL are missing
    example = example_folder()
    plain = (example / "ExampleFly.cppipe").read_text(encoding="utf-8")
    pipelines = {PRIMARY: save_nuclei(plain), UNET: save_nuclei(replace_primary_objects(plain))}
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    (output / MARK).write_text("Made by the demonstration, which removes this folder before it runs again.\n")
    runs = {module: output / module for module in pipelines}
    for module, pipeline in pipelines.items():
        path = output / f"ExampleFly_{module}.cppipe"
        path.write_text(pipeline, encoding="utf-8")
        print(f"CellProfiler runs ExampleFly with {module} ...", flush=True)
        with tempfile.TemporaryDirectory() as images:
            # The pipeline leaves out folders whose name begins with a dot, and environments lie in such a one.
            shutil.copytree(example / "images", images, dirs_exist_ok=True)
            run_cellprofiler(path, Path(images), runs[module])
    fields = summarize(runs)
    for field in fields:
        name = field["field"]
        image = imread(str(runs[PRIMARY] / f"{name}_image.tiff"))
        labels = {module: imread(str(folder / f"{name}_labels.tiff")) for module, folder in runs.items()}
        draw_overlay(output / field["overlay"], image, labels)
    with written_beside(output / "summary.json") as beside:
        beside.write_text(json.dumps({"fields": fields}, indent=2) + "\n", encoding="utf-8")
    print(f"\n{'field':16}" + "".join(f"{module:>26} {'seconds':>8}" for module in COLORS))
    for field in fields:
        found = [field["modules"][module] for module in COLORS]
        print(f"{field['field']:16}" + "".join(f"{one['nuclei']:>19} nuclei {one['seconds']:>8.2f}" for one in found))
    print("(the first field's seconds include opening the model, once a process)")
    print(f"\n{len(fields)} overlays, tables and summary.json are in {os.path.relpath(output)}{os.sep}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
