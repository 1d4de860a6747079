"""Count images a second on an NVIDIA GPU beside the CPU, from image to labels; needs no CellProfiler and no torch."""

import time
from typing import Dict, List, Sequence, Tuple

import numpy as np

from benchmarks.speed.fields import Wanted, make_fields
from benchmarks.speed.series import IMAGES_A_SECOND, SECONDS, Series
from benchmarks.speed.stages import timed_stages
from cpunet.cores import cores_allowed
from cpunet.model.find import find_model
from cpunet.model.session import CUDA, OnnxModel, load_model
from cpunet.segment import segment_image

PART = "gpu"
NETWORK, REST, OBJECTS = "network", "all else", "objects"


def time_gpu(wanted: Sequence[Wanted], model_name: str, rounds: int) -> Tuple[List[Series], List[str]]:
    """Time both devices in turns; nothing, and the reason, if no session gets the GPU."""
    path = find_model(model_name)
    gpu = load_model(path, "automatic")
    if gpu.provider != CUDA:
        return [], [f"gpu: no session gets an NVIDIA GPU here; the network runs on {gpu.provider}."]
    devices = {f"{model_name}, GPU": gpu, f"{model_name}, CPU": load_model(path, "cpu")}
    return [series for each in wanted for series in time_devices(each, devices, rounds)], []


def time_devices(wanted: Wanted, devices: Dict[str, OnnxModel], rounds: int) -> List[Series]:
    """Segment all fields with each open model in turns; a first run of each does not count."""
    images = [field.image for field in make_fields(wanted)]
    runs: Dict[str, List[Dict[str, float]]] = {name: [] for name in devices}
    for model in devices.values():
        segment_image(images[0], model)
    for _ in range(rounds):
        for name, model in devices.items():
            runs[name] += [_run(image, model) for image in images]
    return [
        Series(PART, wanted.name, cores_allowed(), name, quantity, tuple(run[quantity] for run in of_device))
        for name, of_device in runs.items()
        for quantity in of_device[0]
    ]


def _run(image: np.ndarray, model: OnnxModel) -> Dict[str, float]:
    with timed_stages() as clock:
        began = time.perf_counter()
        found = segment_image(image, model)
        seconds = time.perf_counter() - began
        network = clock.take(seconds)["network"]
    return {
        SECONDS: seconds,
        IMAGES_A_SECOND: 1 / seconds,
        NETWORK: network,
        REST: seconds - network,
        OBJECTS: float(found.labels.max(initial=0)),
    }
