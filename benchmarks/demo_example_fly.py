"""The ExampleFly pipeline that comes with CellProfiler, as it is and with IdentifyObjectsUNet in it.

Runs CellProfiler headless twice on the same images, then draws both modules' nuclei over each field and sums up counts
and times. Both runs get three modules at the end that save the nuclei's labels and their image; nothing else is
touched.
"""

import argparse
import csv
import json
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

from benchmarks.pipeline_text import (
    PRIMARY,
    UNET,
    append_modules,
    replace_primary_objects,
    save_nuclei_blocks,
    split_modules,
)
from cpunet.files.images import written_beside
from cpunet.files.overlay import gray_picture

COLORS = {PRIMARY: "#ff9d2e", UNET: "#27d3f5"}
ZOOM = 4
MARK = "made-by-demo.txt"


def example_folder() -> Path:
    """Return the folder of ExampleFly inside the installed cellprofiler package."""
    import cellprofiler

    return Path(cellprofiler.__file__).parent / "data" / "examples" / "ExampleFly"


def run_cellprofiler(pipeline: Path, images: Path, output: Path) -> None:
    """Run a pipeline headless, as a user would; its log goes to run.log in the output folder.

    Parameters
    ----------
    pipeline, images, output : Path

    Raises
    ------
    RuntimeError
        If CellProfiler fails; the message shows the end of its log.
    """
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
        raise RuntimeError(f"CellProfiler exited with {code}; the end of {log}:\n{tail}")


def read_table(path: Path) -> List[Dict[str, str]]:
    """Read a CSV file that CellProfiler wrote, a dict a row."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def summarize(output: Path, runs: Dict[str, Path]) -> List[Dict[str, Any]]:
    """Collect counts and seconds a field, and the files of labels and images.

    Parameters
    ----------
    output : Path
        The demonstration's folder; paths are relative to it.
    runs : dict of str to Path
        Each module's output folder.

    Returns
    -------
    list of dict
        For each field its name, and for each module the number of nuclei and the seconds it took.
    """
    tables = {module: read_table(folder / "Image.csv") for module, folder in runs.items()}
    fields = []
    for rows in zip(*tables.values()):
        name = Path(rows[0]["FileName_OrigBlue"]).stem
        modules = {}
        for module, row in zip(tables, rows):
            seconds = next(float(row[key]) for key in row if key.startswith("ExecutionTime_") and key.endswith(module))
            modules[module] = {"nuclei": int(float(row["Count_Nuclei"])), "seconds": seconds}
        fields.append({"field": name, "overlay": f"{name}_overlay.png", "modules": modules})
    return fields


def draw_overlay(path: Path, image: np.ndarray, labels: Dict[str, np.ndarray]) -> None:
    """Draw a field, plain and with each module's outlines.

    Parameters
    ----------
    path : Path
        The PNG to write.
    image : ndarray of shape (Y, X)
    labels : dict of str to ndarray of shape (Y, X)
        By module. Outlines of the first lie outside its objects and of the second inside, so that both are seen where
        they agree.
    """
    picture = gray_picture(image)
    enlarged = np.kron(picture, np.ones((ZOOM, ZOOM, 1), np.uint8))
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


def print_table(fields: Sequence[Dict[str, Any]]) -> None:
    """Print counts and seconds, a row a field."""
    print(f"\n{'field':16}" + "".join(f"{module:>26} {'seconds':>8}" for module in (PRIMARY, UNET)))
    for field in fields:
        cells = [f"{field['modules'][m]['nuclei']:>19} nuclei {field['modules'][m]['seconds']:>8.2f}" for m in COLORS]
        print(f"{field['field']:16}" + "".join(cells))
    print("(the first field's seconds include opening the model, once a process)")


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration and return 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    output = parser.parse_args(arguments).output
    example = example_folder()
    plain = (example / "ExampleFly.cppipe").read_text(encoding="utf-8")
    extra = save_nuclei_blocks(first_number=len(split_modules(plain)))
    pipelines = {PRIMARY: plain, UNET: replace_primary_objects(plain)}
    if output.exists() and not (output / MARK).is_file():
        print(f"{output} is there already and is not of an earlier demonstration; choose another --output.")
        return 1
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    (output / MARK).write_text("Made by the demonstration, which removes this folder before it runs again.\n")
    runs = {module: output / module for module in pipelines}
    for module, pipeline in pipelines.items():
        path = output / f"ExampleFly_{module}.cppipe"
        path.write_text(append_modules(pipeline, extra), encoding="utf-8")
        print(f"CellProfiler runs ExampleFly with {module} ...", flush=True)
        try:
            with tempfile.TemporaryDirectory() as images:
                # The pipeline leaves out folders whose name begins with a dot, and environments lie in such a one.
                shutil.copytree(example / "images", images, dirs_exist_ok=True)
                run_cellprofiler(path, Path(images), runs[module])
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    fields = summarize(output, runs)
    for field in fields:
        name = field["field"]
        draw_overlay(
            output / field["overlay"],
            imread(str(runs[PRIMARY] / f"{name}_image.tiff")),
            {module: imread(str(folder / f"{name}_labels.tiff")) for module, folder in runs.items()},
        )
    with written_beside(output / "summary.json") as beside:
        beside.write_text(json.dumps({"fields": fields}, indent=2) + "\n", encoding="utf-8")
    print_table(fields)
    print(f"\noverlays, tables and summary.json are in {os.path.relpath(output)}{os.sep}")
    for field in fields:
        print(f"    {os.path.relpath(output / field['overlay'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
