"""Score how regions of planes are linked: neighbors alone, as before, and as the module does it.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.linked_planes --data data

The drawn stacks need no data and no network. With --data, the default model segments the planes of BBBC050 first.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence, Tuple
from unittest import mock

import numpy as np

from benchmarks.bbbc050.__main__ import SCALE_OF_PLANES
from benchmarks.bbbc050.volumes import labeled_volumes
from benchmarks.linked_planes.stacked_nuclei import FAULTS, regions_in_planes, stacked_nuclei
from benchmarks.markdown import header, row
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_stack
from cpunet.steps.linking.link import link_planes
from cpunet.steps.linking.neighbors import link_neighbors
from cpunet.volume_scores import mean_of_volumes, score_volume

STACKS = 5
COLUMNS = ("stacks", "linked by", "SEG", "MUCov", "F1 at 0.5", "true", "found", "ms a stack")
Link = Callable[[np.ndarray, np.ndarray], np.ndarray]
METHODS: Dict[str, Link] = {
    "neighbors alone": lambda planes, image: link_neighbors(planes),
    "the module": link_planes,
}
# Planes, image and truth of a stack.
Stack = Tuple[np.ndarray, np.ndarray, np.ndarray]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.linked_planes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="ROOT", help="the folder that holds bbbc050/")
    parser.add_argument("--split", default="train", help="which of its volumes (train)")
    options = parser.parse_args(arguments)
    print(header(COLUMNS))
    for faults in FAULTS:
        print_rows(f"drawn, {faults}", list(drawn_stacks(faults)))
    if options.data:
        print_rows(f"bbbc050 {options.split}, {DEFAULT_MODEL}", list(embryos(options.data, options.split)))
    return 0


def drawn_stacks(faults: str) -> Iterator[Stack]:
    """Yield drawn stacks, and their regions with these faults."""
    for seed in range(STACKS):
        drawn = stacked_nuclei(seed)
        yield regions_in_planes(drawn.labels, faults, seed), drawn.image, drawn.labels


def embryos(root: Path, split: str) -> Iterator[Stack]:
    """Yield volumes of BBBC050, and the regions that the default model finds in each plane."""
    model, settings = load_model(find_model(DEFAULT_MODEL), device="cpu"), Options(scale=SCALE_OF_PLANES)
    for each in labeled_volumes(root, split):
        with mock.patch("cpunet.segment.link_planes", lambda planes, stack: planes):
            planes = segment_stack(each.pixels, model, settings).labels
        yield planes, each.pixels, each.labels


def print_rows(name: str, stacks: List[Stack]) -> None:
    """Print one row of the table for each way to link."""
    for method, link in METHODS.items():
        volumes, images, seconds = [], [], 0.0
        for planes, image, truth in stacks:
            start = time.perf_counter()
            found = link(planes, image)
            seconds += time.perf_counter() - start
            volumes.append(score_volume(truth, found))
            images.append(score_image(truth, found))
        mean = mean_of_volumes(volumes)
        shares = [f"{share:.3f}" for share in (mean.seg, mean.mucov, pool_scores(images).f1[0.5])]
        counts = [str(mean.truth_count), str(mean.prediction_count), f"{1000 * seconds / len(stacks):.0f}"]
        print(row([name, method, *shares, *counts]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
