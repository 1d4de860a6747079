"""Time StarDist's and Cellpose's own inference code beside ours: speed only, with untrained networks.

Their networks have the sizes that were published; their weights are not needed for a time. What an untrained network
finds is no object, so each program's own code that makes objects is given what a perfect network would: the labels of
the field, in the form that it predicts.
"""

import os
import time
from importlib.util import find_spec
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

from benchmarks.speed.bound import in_a_process
from benchmarks.speed.fields import Field, Wanted, make_fields
from benchmarks.speed.series import SECONDS, Series
from benchmarks.speed.stages import timed_stages
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.segment import segment_image

PART = "peers"
NETWORK, REST = "network", "all else"
# How many threads of one library may still wait for work when the next one begins.
UNTIL_THREADS_REST = 0.3


class Peer(NamedTuple):
    """A program: its name, and what makes, for a field, a function that segments it and returns seconds by part."""

    name: str
    package: str
    prepare: Callable[[Field, int], Callable[[], Dict[str, float]]]


def time_peers(wanted: Sequence[Wanted], cores: Sequence[int], model: str, rounds: int) -> List[Series]:
    """Time all programs whose packages are installed on each kind of fields, in turns, in one process."""
    return [
        series
        for each in wanted
        for number in cores
        for series in in_a_process(number, time_in_this_process, each, number, model, rounds)
    ]


def time_in_this_process(wanted: Wanted, cores: int, model: str, rounds: int) -> List[Series]:
    """Time all programs in turns on the first of the fields; the first run of each does not count."""
    (field,) = make_fields(wanted._replace(count=1))
    runs = {model: _ours(model, field)}
    runs.update({peer.name: peer.prepare(field, cores) for peer in PEERS if find_spec(peer.package) is not None})
    taken: Dict[str, List[Dict[str, float]]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            time.sleep(UNTIL_THREADS_REST)
            taken[name].append(run())
    return [
        Series(PART, wanted.name, cores, name, quantity, tuple(each[quantity] for each in found))
        for name, found in taken.items()
        for quantity in (SECONDS, NETWORK, REST)
    ]


def missing_peers() -> List[str]:
    """Say which programs cannot be measured here."""
    return [
        f"{peer.name}: the package {peer.package} is not installed in this Python; see requirements/peers.txt."
        for peer in PEERS
        if find_spec(peer.package) is None
    ]


def _parts(network: float, rest: float) -> Dict[str, float]:
    return {SECONDS: network + rest, NETWORK: network, REST: rest}


def _ours(model_name: str, field: Field) -> Callable[[], Dict[str, float]]:
    model = load_model(find_model(model_name), "cpu")

    def run() -> Dict[str, float]:
        with timed_stages() as clock:
            began = time.perf_counter()
            segment_image(field.image, model)
            whole = time.perf_counter() - began
            network = clock.take(whole)["network"]
        return _parts(network, whole - network)

    return run


def _stardist(field: Field, cores: int) -> Callable[[], Dict[str, float]]:
    """Prepare StarDist with the size of its model 2D_versatile_fluo: 32 rays, a grid of 2x2, 1.4 million weights."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it prints what it found of GPUs
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
    from csbdeep.utils import normalize
    from stardist.geometry import star_dist
    from stardist.models import Config2D, StarDist2D
    from stardist.utils import edt_prob

    config = Config2D(n_rays=32, grid=(2, 2))
    model = StarDist2D(config, name=None, basedir=None)
    probability = edt_prob(field.labels)[::2, ::2]
    distances = star_dist(field.labels, config.n_rays, grid=config.grid)

    def run() -> Dict[str, float]:
        began = time.perf_counter()
        model.predict(normalize(field.image, 1, 99.8))
        predicted = time.perf_counter()
        model._instances_from_prediction(field.image.shape, probability, distances)
        return _parts(predicted - began, time.perf_counter() - predicted)

    return run


def _cellpose(field: Field, cores: int) -> Callable[[], Dict[str, float]]:
    """Prepare Cellpose 3 with its own network of 6.6 million weights; objects have the size that it knows."""
    import torch
    from cellpose.dynamics import labels_to_flows
    from cellpose.models import CellposeModel

    torch.set_num_threads(cores)
    model: Any = CellposeModel(gpu=False)
    _, inside, *flows = labels_to_flows([field.labels], device=torch.device("cpu"))[0]
    # A network is trained on five times the flows, and on a logit.
    flows_of_image, logit = 5 * np.stack(flows)[:, np.newaxis], np.where(inside > 0, 6, -6).astype(np.float32)

    def run() -> Dict[str, float]:
        began = time.perf_counter()
        model.eval(field.image, channels=[0, 0], compute_masks=False)
        predicted = time.perf_counter()
        model._compute_masks((1, *field.image.shape, 2), flows_of_image, logit[np.newaxis], niter=200)
        return _parts(predicted - began, time.perf_counter() - predicted)

    return run


PEERS = (Peer("StarDist, untrained", "stardist", _stardist), Peer("Cellpose 3, untrained", "cellpose", _cellpose))
