"""``cpunet data import-volumes``: make a data set from stacks of planes and their labels."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import find_folders
from cpunet.files.formats.voxel_size import VoxelSize
from cpunet.training.importing.data_set import ImportOptions, pair_sources
from cpunet.training.importing.ignore_masks import with_ignore_masks
from cpunet.training.volumes.data.import_volumes import VolumeOptions, import_volumes, pair_volumes
from cpunet.training.volumes.data.labeled_volumes import planes_of_text

WITH_LABELS = "with-labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments, beside those that all imports have."""
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="data sets of volumes, in our layout")
    parser.add_argument("--images", type=Path, metavar="DIR", help="volumes, TIFF or OME-Zarr")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="their labels, of the same names; of OME-Zarr, by default those in it",
    )
    parser.add_argument(
        "--ignore", type=Path, metavar="DIR", help="masks of what is not labeled, of the volumes' names; with --images"
    )
    parser.add_argument("--image-suffix", metavar="TEXT", help="what the volumes' names end in: _DNA")
    parser.add_argument("--labels-suffix", metavar="TEXT", help="what the labels' names end in: _Nuclei")
    parser.add_argument("--pixel-size-um", type=float, metavar="UM", help="width of a pixel, in micrometers")
    parser.add_argument("--z-step-um", type=float, metavar="UM", help="distance of neighboring planes, in micrometers")
    parser.add_argument(
        "--labeled-planes",
        metavar="PLANES",
        help=f"the planes that are labeled, from 1 on: '3 7-9'; or {WITH_LABELS}: those with an object (all)",
    )
    parser.add_argument(
        "--skip-unpaired", action="store_true", help="leave out volumes without labels, and the reverse"
    )
    parser.add_argument("--group", metavar="PATTERN", help="what must stay together, as in '^(embryo.+)_t'")
    parser.add_argument("--modality", default="fluorescence", metavar="NAME", help="(fluorescence)")
    parser.set_defaults(do=run)


def run(arguments: argparse.Namespace) -> int:
    """Import, and return 0."""
    if arguments.labels is not None and arguments.images is None:
        raise DataError("--labels goes with --images.")
    if arguments.ignore is not None and arguments.images is None:
        raise DataError("--ignore goes with --images; a data set has its folder ignore/.")
    if arguments.images is None and (arguments.image_suffix, arguments.labels_suffix) != (None, None):
        raise DataError("--image-suffix and --labels-suffix go with --images and --labels.")
    for option, value in (("--pixel-size-um", arguments.pixel_size_um), ("--z-step-um", arguments.z_step_um)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise DataError(f"{option} {value}: a length above 0 is needed, in micrometers.")
    pairings = pair_sources(find_folders(arguments.sources))
    strange = [pairing for pairing in pairings if pairing.label_format != "own"]
    if strange:
        raise DataError("SOURCE is a data set of volumes; for two folders say --images DIR --labels DIR.")
    if arguments.images is not None:
        named = pair_volumes(arguments.images, arguments.labels, arguments.image_suffix, arguments.labels_suffix)
        pairings.append(named if arguments.ignore is None else with_ignore_masks(named, arguments.ignore))
    if not pairings:
        raise DataError("Say what to import: SOURCE, or --images and --labels.")
    options = ImportOptions(
        arguments.modality,
        arguments.group,
        tuple(folder.resolve() for folder in find_folders(arguments.against)),
        arguments.skip_unpaired,
    )
    words = arguments.labeled_planes or ""
    volumes = VolumeOptions(
        VoxelSize(arguments.pixel_size_um, arguments.z_step_um),
        () if words == WITH_LABELS else planes_of_text(words),
        words == WITH_LABELS,
    )
    print("\n".join(import_volumes(pairings, arguments.output, options, volumes)))
    print(f"next: cpunet data check {arguments.output} --report check.html")
    return 0
