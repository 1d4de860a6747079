"""Write pairs of a nuclear stain and a phase-like image, drawn from the labels of a data set, with their truth.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.phase_like data/bbbc039 pairs-train --split train

pairs-train/ then holds stain/ID.tif (32-bit), phase/ID.png (8-bit), labels/ID.png (the truth, where the phase image
shows the nuclei) and truth.csv (kind of the pair and shift). Labels made from the stain, and a data set with the truth:

cpunet labels from-stain pairs-train/stain pairs-train/phase -o from-stain
cpunet data import --images pairs-train/phase --labels pairs-train/labels -o truth --modality phase_contrast

The kinds of pairs take turns: by default half of them are clean, and the others have one fault each. The same command
writes the same files.
"""

import argparse
import sys
from pathlib import Path
from typing import Iterator, Sequence

from benchmarks.labeled_images import labeled_images
from benchmarks.phase_like.pairs import LARGEST_SHIFT_PX, PhasePair, in_turn, make_pair, write_pairs
from benchmarks.phase_like.stain import CLEAN, KINDS, USABLE

HALF_CLEAN = tuple(kind for fault in USABLE[1:] for kind in (CLEAN, fault))


def pairs_of(data: Path, split: str, count: int, kinds: Sequence[str], largest_px: float) -> Iterator[PhasePair]:
    """Make pairs from the labels of a split; images without nuclei are left out."""
    number = 0
    for truth in labeled_images(data, split):
        if truth.labels.any() and number < count:
            yield make_pair(truth.id, truth.labels, in_turn(kinds, number), largest_px)
            number += 1


def main(arguments: Sequence[str]) -> int:
    """Write the pairs."""
    parser = argparse.ArgumentParser(prog="benchmarks.phase_like", description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="a data set: labels/ and index.csv, such as bbbc039")
    parser.add_argument("output", type=Path, metavar="OUT", help="a folder that does not exist yet")
    parser.add_argument("--split", default="train", help="of the data set (train)")
    parser.add_argument("--count", type=int, default=sys.maxsize, help="so many pairs at most (all)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(HALF_CLEAN), metavar="KIND", help=f"{KINDS}")
    parser.add_argument("--largest-shift", type=float, default=LARGEST_SHIFT_PX, metavar="PX", help="(12)")
    options = parser.parse_args(arguments)
    if options.output.exists():
        parser.error(f"{options.output} exists already; name a folder that does not")
    pairs = pairs_of(options.data, options.split, options.count, options.kinds, options.largest_shift)
    print(f"{write_pairs(pairs, options.output)} pairs: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
