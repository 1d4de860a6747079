"""``cpunet doctor``: what is installed, whether the models are sound, which device a session really gets."""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from importlib import metadata
from typing import List

import numpy as np

from cpunet import __version__
from cpunet.drawn_nuclei import draw_field
from cpunet.model_card import ModelError
from cpunet.model_files import list_models
from cpunet.onnx_file import sha256
from cpunet.segment import segment_image
from cpunet.session import DeviceError, OnnxModel, RuntimeMissingError, import_onnxruntime, load_model

PACKAGES = ("numpy", "scipy", "scikit-image", "onnxruntime", "onnxruntime-gpu", "cellprofiler", "torch")
TIMED_RUNS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; there is none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis and return 0, or 1 if something must be mended."""
    print(f"cpunet {__version__}, Python {platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        try:
            print(f"    {package:16} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"    {package:16} not installed")
    models = list_models()
    for name, path in models.items():
        print(f"model {name}\n    file      {path}\n    sha256    {sha256(path)}")
    try:
        onnxruntime = import_onnxruntime()
    except RuntimeMissingError as error:
        print(f"PROBLEM: {error}")
        return 1
    print(f"onnxruntime offers {', '.join(onnxruntime.get_available_providers())}")
    if not models:
        print("PROBLEM: no model was found; see `cpunet models`.")
        return 1
    problems = 0
    for name, path in models.items():
        try:
            model = load_model(path)
            print("\n".join([f"model {name}", *(f"    {line}" for line in measure(model))]))
        except (ModelError, DeviceError, ValueError) as error:
            problems += 1
            print(f"PROBLEM: model {name}: {error}")
    print("Everything works." if not problems else f"Models with a problem: {problems}.")
    return 1 if problems else 0


def measure(model: OnnxModel) -> List[str]:
    """Time one image of 512x512 pixels.

    Parameters
    ----------
    model : OnnxModel

    Returns
    -------
    list of str
        Which provider the session runs on, and the median time from image to labels.
    """
    field = draw_field((512, 512))
    channels = len(model.card.input.channels)
    image = field.image if channels == 1 else np.stack([field.image] * channels, axis=-1)
    segment_image(image, model)  # the first call sets up the memory
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        labels = segment_image(image, model).labels
        seconds.append(time.perf_counter() - start)
    return [
        f"runs on   {model.provider}",
        f"512x512   {statistics.median(seconds):.3f} s (median of {TIMED_RUNS})",
        f"found     {labels.max()} objects in a drawn field of {field.labels.max()} nuclei",
    ]
