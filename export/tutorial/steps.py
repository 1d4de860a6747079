"""The steps of ``cpunet demo-swap``: from corrected objects to a pipeline with a model of one's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cpunet
from cpunet.errors import OptionError, TutorialError
from cpunet.export.tutorial.files import PIPELINE, with_model, write_corrected, write_new_images
from cpunet.export.tutorial.results import print_scores
from cpunet.model.find import MODELS_VARIABLE

CORRECTED_FIELDS, NEW_FIELDS = 10, 3
# Version 2 finds the tutorial's nuclei as they are, so nothing would be left to correct.
CORRECTED = "nuclei_fluorescence_1"
MODEL, MODELS_FOLDER, LOG = "mine", "my-models", "tutorial.log"
# The commands of docs/swap-a-model.md, where "cpunet" is this Python's.
BEFORE_THE_CHOICE = (
    (
        "The corrected objects become a data set",
        "cpunet data import --cellprofiler corrected --image-suffix _DNA --labels-suffix _Nuclei -o data/mine "
        "--modality fluorescence",
    ),
    ("Is it fit to train on?", "cpunet data check data/mine"),
    ("Plan the fine-tuning", "cpunet train mine.yaml --plan --data data --sets mine --from nuclei_fluorescence_1"),
    ("Fine-tune", "cpunet train mine.yaml --data data"),
    ("Export", "cpunet export runs/mine/weights.safetensors -o models/mine/model.onnx --data data"),
    ("Verify the file", "cpunet verify models/mine/model.onnx"),
)
AFTER_THE_CHOICE = (
    ("Is it listed by its name?", "cpunet models"),
    (
        "New images with the model before",
        "cpunet segment new-images/*.tiff -o results/nuclei_fluorescence_1 --model nuclei_fluorescence_1",
    ),
    ("New images with your model", "cpunet segment new-images/*.tiff -o results/mine --model mine"),
)
HEADLESS = "-c -r -p pipeline-mine.cppipe -i new-images -o results/cellprofiler"


def run_tutorial(folder: Path, steps: int, cellprofiler: Path | None = None) -> None:
    """Make the files, run every command, and print the scores of both models.

    Parameters
    ----------
    folder : Path
        New, or empty.
    steps : int
        Of the fine-tuning.
    cellprofiler : Path, optional
        CellProfiler's program, or a Python that has it; by default the program ``cellprofiler``, if there is one.

    Raises
    ------
    OptionError
        If an argument cannot be. Nothing is written then.
    TutorialError
        If a command fails.
    """
    if steps < 1:
        raise OptionError(f"--steps {steps}: a fine-tuning needs 1 step or more.")
    program = cellprofiler_program(cellprofiler)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder} is there already, and is not empty: give another folder with --output.")
    folder.mkdir(parents=True, exist_ok=True)
    write_corrected(folder / "corrected", CORRECTED_FIELDS)
    write_new_images(folder / "new-images", folder / "truth", NEW_FIELDS)
    shutil.copyfile(PIPELINE, folder / "pipeline.cppipe")
    print(f"{folder}: {CORRECTED_FIELDS} images with corrected nuclei, {NEW_FIELDS} new ones, and a pipeline")
    for title, command in BEFORE_THE_CHOICE:
        run_step(folder, title, command + (f" --steps {steps}" if "--plan" in command else ""))
    print(f"Put it into the models folder\n    {MODELS_VARIABLE}={folder / MODELS_FOLDER}")
    shutil.copytree(folder / "models" / MODEL, folder / MODELS_FOLDER / MODEL)
    for title, command in AFTER_THE_CHOICE:
        run_step(folder, title, command)
    changed = with_model((folder / "pipeline.cppipe").read_text(encoding="utf-8"), MODEL)
    (folder / "pipeline-mine.cppipe").write_text(changed, encoding="utf-8")
    print(f"Choose it in the pipeline\n    Select the model: {MODEL} (pipeline-mine.cppipe; no other line differs)")
    results = {CORRECTED: (CORRECTED, "_labels.tif"), MODEL: (MODEL, "_labels.tif")}
    if run_headless(folder, program):
        results[f"{MODEL}, in CellProfiler"] = ("cellprofiler", "_labels.tiff")
    print_scores(folder, results)


def run_step(folder: Path, title: str, command: str) -> None:
    """Show one command and run it in the folder; what it prints goes to the log."""
    print(f"{title}\n    {command}", flush=True)
    words = shlex.split(command)
    words = [word for each in words for word in (sorted(_names(folder, each)) if "*" in each else [each])]
    run_logged(folder, [sys.executable, "-m", "cpunet", *words[1:]], _environment(folder))


def run_logged(folder: Path, words: list[str], environment: dict[str, str]) -> None:
    """Run a program in the folder; an error shows the end of its output."""
    start = time.perf_counter()
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"$ {shlex.join(words)}\n")
        log.flush()
        code = subprocess.run(
            words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        end = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        raise TutorialError(f"it ended with exit code {code}; the end of {folder / LOG}:\n" + "\n".join(end))
    print(f"    {time.perf_counter() - start:.0f} s", flush=True)


def cellprofiler_program(given: Path | None) -> list[str] | None:
    """Return the words that start CellProfiler, or None where it is not found and was not asked for."""
    found = shutil.which(str(given or "cellprofiler"))
    if found is None:
        if given:
            raise OptionError(f"--cellprofiler {given}: there is no such program.")
        return None
    # Commands run in another folder. A link into a virtual environment must stay one.
    found = os.path.abspath(found)
    return [found, "-m", "cellprofiler"] if Path(found).name.startswith("python") else [found]


def run_headless(folder: Path, program: list[str] | None) -> bool:
    """Run the pipeline in CellProfiler, or say how; return whether it was run."""
    plugins = Path(cpunet.__file__).resolve().parents[1]
    there = (plugins / "identifyobjectsunet.py").is_file()
    shown = str(plugins) if there else "PLUGINS"
    command = f'cellprofiler {HEADLESS} --plugins-directory="{shown}"'
    (folder / "results" / "cellprofiler").mkdir()
    if program is None or not there:
        lacks = "CellProfiler was not found" if there else "The folder plugins of the repository is not here"
        print(f"Run it headless: {lacks}. In {folder}, with {MODELS_VARIABLE}={folder / MODELS_FOLDER}:\n    {command}")
        return False
    print(f"Run it headless\n    {command}", flush=True)
    # CellProfiler has a Python of its own, which must not see this one's packages.
    environment = {name: value for name, value in _environment(folder).items() if name != "PYTHONPATH"}
    run_logged(folder, [*program, *shlex.split(HEADLESS), f"--plugins-directory={plugins}"], environment)
    if not list((folder / "results" / "cellprofiler").glob("*_labels.tiff")):
        raise TutorialError(f"CellProfiler saved no labels; {folder / LOG} says why.")
    return True


def _names(folder: Path, pattern: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.glob(pattern)]


def _environment(folder: Path) -> dict[str, str]:
    own = os.environ.get("PYTHONPATH", "")
    paths = os.pathsep.join(os.path.abspath(path) for path in own.split(os.pathsep) if path)
    return {**os.environ, "PYTHONPATH": paths, MODELS_VARIABLE: str(folder / MODELS_FOLDER)}
