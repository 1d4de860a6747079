"""Report the device that a session really gets, its speed, and why a GPU is not used."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any, List, NamedTuple, Optional

import numpy as np

from cpunet.checks.stored_test import run_stored_test
from cpunet.checks.synthetic import synthetic_field
from cpunet.checks.synthetic_volume import SyntheticVolume, synthetic_volume
from cpunet.errors import CpunetError, RuntimeMissingError
from cpunet.model.card import VOLUMES, InputCard, ModelCard
from cpunet.model.memory import total_gpu_memory_bytes
from cpunet.model.session import CPU, CUDA, OnnxModel, import_onnxruntime, load_model
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.volumes.segment_volume import segment_volume

TIMED_RUNS = 5
# The user waits for the report in the window: no second run if the first took longer than this.
LONG_SECONDS = 3.0
REPORTED_SIDE = 1024
# Planes and side of the volume for a model of volumes.
TIMED_VOLUME = (32, 128)
GPU_LIBRARIES_PAGE = "https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"


class Measured(NamedTuple):
    """What a model did on a synthetic field: lines for a report, and what is wrong, '' if nothing is."""

    lines: List[str]
    problem: str


def measure(model: OnnxModel, stored_test: Optional[str] = None) -> Measured:
    """Run a model on a synthetic field of nuclei, and on the test in its file; judge what it finds.

    Parameters
    ----------
    model : OnnxModel
    stored_test : str, optional
        The file's metadata `cpunet.checks.stored_test.STORED_TEST_KEY`.

    Returns
    -------
    Measured
        The lines say on which provider the session runs, the time from an image of 512x512 pixels to labels, and how
        many objects were found.

    Notes
    -----
    A model of volumes gets a synthetic volume of 32 planes of 128 x 128 pixels instead.

    A model of fluorescent nuclei must find between half and twice as many objects as the field has nuclei. A model of
    other images need not, if it passes the test in its file.
    """
    tested = None if stored_test is None else run_stored_test(stored_test, model, model.path)
    of_volumes = model.card.input.dimensions == VOLUMES
    drawn_image, drawn_labels = _volume(model.card.input) if of_volumes else synthetic_field((512, 512))
    image = _with_channels(drawn_image, model)
    segment, what = (segment_volume, "volume") if of_volumes else (segment_image, "field")
    segment(image, model)  # the first call sets up the memory
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        labels = segment(image, model).labels
        seconds.append(time.perf_counter() - start)
    found, drawn = int(labels.max()), int(drawn_labels.max())
    size = "x".join(map(str, drawn_labels.shape))
    lines = [
        f"runs on   {model.provider}{', on volumes (3-D)' if of_volumes else ''}",
        f"{size:9} {statistics.median(seconds):.3f} s (median of {TIMED_RUNS})",
        f"found     {found} objects in a synthetic {what} of {drawn} nuclei",
    ]
    if tested is not None:
        lines.append(f"test      the one in the file agrees within {tested}")
    if drawn <= 2 * found <= 4 * drawn:
        return Measured(lines, "")
    modality = model.card.input.modality
    if tested is not None and "fluorescence" not in modality.lower():
        return Measured([*lines, f"          (not judged by that {what}: it was trained on {modality})"], "")
    return Measured(
        lines,
        f"it found {found} objects in a synthetic {what} of {drawn} fluorescent nuclei. Its weights, its card's "
        "normalization or its card's roles are wrong, or it was trained on other images and carries no test "
        "(`cpunet card add` and `cpunet export` write one).",
    )


def device_report(
    path: Path,
    device: str = "automatic",
    card: Optional[ModelCard] = None,
    gpu_memory_bytes: Optional[int] = None,
    threads: int = 0,
) -> List[str]:
    """Report in sentences on which device a model runs, how fast, and why a GPU is not used.

    Parameters
    ----------
    path : Path
        An ONNX file.
    device, card, gpu_memory_bytes, threads
        See `cpunet.model.session.load_model`.

    Returns
    -------
    list of str
        Sentences. A failure is one of them, never an error.

    Notes
    -----
    Opens the model and runs it on a synthetic image at least once; this takes little longer than the report says.
    """
    try:
        onnxruntime = import_onnxruntime()
    except RuntimeMissingError as error:
        return [f"The model cannot run: {error}"]
    sentences = [f"onnxruntime {onnxruntime.__version__} is installed; it runs the network."]
    try:
        model = load_model(path, device, threads, card, gpu_memory_bytes)
        sentences += [
            f"The model {model.card.name} runs on {_in_words(model.provider)}.",
            _said_of_seconds(model),
        ]
        provider = model.provider
    except CpunetError as error:
        sentences.append(f"The model cannot run: {error}")
        provider = ""
    reason = _why_no_gpu(onnxruntime, provider, device)
    return [*sentences, reason] if reason else sentences


def _with_channels(image: Any, model: OnnxModel) -> Any:
    """Repeat a gray image for each channel that a model takes."""
    channels = len(model.card.input.channels)
    return image if channels == 1 else np.stack([image] * channels, axis=-1)


def _volume(given: InputCard) -> SyntheticVolume:
    """Draw a volume of nuclei of the trained diameter and z step."""
    assert given.z_step_px is not None  # the card of a model of volumes has one
    planes, side = TIMED_VOLUME
    return synthetic_volume((planes, side, side), min(given.diameter_px, side / 3), given.z_step_px)


def _seconds_for_an_image(model: OnnxModel) -> float:
    half = REPORTED_SIDE // 2
    of_volumes = model.card.input.dimensions == VOLUMES
    # Four copies of one field: to make a field of the whole size would take seconds.
    one = _volume(model.card.input).image if of_volumes else np.tile(synthetic_field((half, half)).image, (2, 2))
    image = _with_channels(one, model)
    segment = segment_volume if of_volumes else segment_image
    seconds: List[float] = []
    while not seconds or (len(seconds) < TIMED_RUNS and sum(seconds) < LONG_SECONDS):
        start = time.perf_counter()
        segment(image, model, Options(scale=1.0))
        seconds.append(time.perf_counter() - start)
    return min(seconds)  # the first run also sets up the memory


def _said_of_seconds(model: OnnxModel) -> str:
    seconds = _seconds_for_an_image(model)
    what = f"An image of {REPORTED_SIDE} x {REPORTED_SIDE}"
    if model.card.input.dimensions == VOLUMES:
        what = "A volume of {0} planes of {1} x {1}".format(*TIMED_VOLUME)
    return f"{what} pixels takes {seconds:.2f} seconds."


def _in_words(provider: str) -> str:
    return {CUDA: "the NVIDIA GPU (CUDA)", CPU: "the CPU"}.get(provider, provider)


def _why_no_gpu(onnxruntime: Any, provider: str, device: str) -> str:
    """Return a sentence on why the session does not run on a GPU, or '' if it does."""
    if provider == CUDA:
        return ""
    memory = total_gpu_memory_bytes()
    if memory is None:
        return (
            "No NVIDIA GPU with a working driver was found (nvidia-smi does not answer), so only the CPU can be used."
        )
    there = f"There is an NVIDIA GPU with {memory / 2**30:.0f} GB of memory, but"
    if device == "cpu":
        return f"{there} the device CPU was chosen. Choose Automatic to use the GPU."
    if CUDA not in onnxruntime.get_available_providers():
        return f"{there} this onnxruntime has no GPU support. Install onnxruntime-gpu instead of onnxruntime."
    if not provider:
        return ""  # the error of the model is in the report already
    return (
        f"{there} the CUDA and cuDNN libraries that onnxruntime {onnxruntime.__version__} needs were not found. "
        f"{GPU_LIBRARIES_PAGE} says which versions to install."
    )
