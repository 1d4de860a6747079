"""``cpunet segment``: image files in, label images and overlays out; a bad file costs only itself."""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set

from cpunet.choice.model_choice import combined_model
from cpunet.commands.model_arguments import add_averaging, add_model_arguments, opened_chooser, views_of
from cpunet.errors import OptionError, said_with_way_out
from cpunet.files.find import find_images, identity
from cpunet.files.formats.time_stack import is_time_stack
from cpunet.files.mark import is_result
from cpunet.files.segment_file import Batch, results_of, segment_file
from cpunet.files.segment_volume_file import is_volume_for, sees_volumes, segment_volume_file
from cpunet.interruption import stop_if_requested
from cpunet.model.forms import chosen_form, forms_of, said_of_form
from cpunet.model.memory import (
    gpu_memory_for_worker,
    open_within_memory,
    processes_on_gpu,
    total_gpu_memory_bytes,
)
from cpunet.model.session import OnnxModel, open_model
from cpunet.mosaic.segment_mosaic_file import (
    LABEL_FORMATS,
    TIFF_LABELS,
    goes_by_tile,
    labels_of_mosaic,
    segment_mosaic_file,
)
from cpunet.mosaic.writers.ome_zarr import mark_of_zarr
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.options import Options, check_options
from cpunet.steps.look import check_options_of_kind
from cpunet.steps.scale import scale_of_options
from cpunet.terminal import printable, report, show_progress
from cpunet.time_lapse.segment_time_lapse import segment_time_lapse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="image files, folders of images, or patterns such as 'images/*.tif'",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    add_segmentation_arguments(parser)
    parser.add_argument(
        "--labels",
        choices=LABEL_FORMATS,
        default=TIFF_LABELS,
        help="the format of the labels; ome-zarr is written by tile (default: tiff)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR that cpunet did not write, or that were changed"
    )


def add_segmentation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what decides how images are segmented."""
    add_model_arguments(parser)
    add_averaging(parser)
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="of the processor, for the network; by default as many as other programs leave free. Never more than this "
        "job was given cores",
    )
    parser.add_argument(
        "--channel",
        metavar="NAME|N",
        help="of a stack with several channels: the one that shows the objects, by number from 1 on or, of a "
        "time-lapse, by name",
    )
    parser.add_argument(
        "--z-step",
        type=float,
        metavar="PX",
        help="of 3-D stacks: the distance of two planes over the width of a pixel, such as 2.5; by default as the file "
        "says it, or as in the volumes that the model was trained on",
    )
    parser.add_argument("--foreground-threshold", type=float, metavar="P", help="0 to 1; lower makes objects larger")
    parser.add_argument(
        "--outline-level",
        type=float,
        metavar="L",
        help="move outlines toward this level between background (0) and inside (1); lower makes objects larger; by "
        "default outlines stay as the model learned to draw them",
    )
    parser.add_argument("--no-declump", action="store_true", help="keep touching objects as one")
    parser.add_argument(
        "--diameter-range", type=float, nargs=2, metavar=("MIN", "MAX"), help="discard objects outside it, pixels"
    )
    parser.add_argument(
        "--by-tile",
        action="store_true",
        help="keep the work on the disk instead of in the memory, without an overlay; by default for slides, OME-Zarr "
        "and TIFF files of more than 67 million pixels",
    )
    parser.add_argument("--discard-border", action="store_true", help="discard objects that touch the image's frame")


class Segmented(NamedTuple):
    """The labels of the images that were segmented, by image, and how many images failed."""

    labels: Dict[Path, Path]
    failed: int


def run(arguments: argparse.Namespace) -> int:
    """Segment each image, and return 1 if any failed."""
    done = segment_images(arguments)
    print(f"\n{len(done.labels)} images done, {done.failed} failed; results in {arguments.output}")
    return 1 if done.failed else 0


def segment_images(arguments: argparse.Namespace) -> Segmented:
    """Segment each image into the folder of the results."""
    options = Options(
        diameter_px=arguments.diameter,
        foreground_threshold=arguments.foreground_threshold,
        outline_level=arguments.outline_level,
        z_step_px=arguments.z_step,
        declump_method="none" if arguments.no_declump else "probability",
        **views_of(arguments),
    )
    diameter_range = tuple(arguments.diameter_range) if arguments.diameter_range else None
    check_options(options)
    if arguments.threads < 0:
        raise OptionError(f"--threads {arguments.threads}: it must be 1 or more, or 0 for as many as are free.")
    threads, memory = arguments.threads, _gpu_memory_bytes()
    if diameter_range and not 0 < diameter_range[0] <= diameter_range[1]:
        raise OptionError(
            f"--diameter-range {diameter_range[0]:g} {diameter_range[1]:g}: the minimum is larger than the "
            "maximum, or not above 0."
        )
    chooser = opened_chooser(arguments)
    # Read once: the networks that the run begins with are those that it ends with.
    forms = [forms_of(name) for name in (arguments.model, *arguments.average_with)]
    known = None if chooser is None else [each.sha256 for each in chooser.card.models]
    chosen = [chosen_form(each, arguments.device, known) for each in forms]
    for said in filter(None, map(said_of_form, forms, chosen)):
        report(said, sys.stderr)
    model_files = [read_model_file(path) for path in chosen]
    warn = _warn_once()

    def open_all(device: str) -> List[OnnxModel]:
        return [open_model(file, device, threads, gpu_memory_bytes=memory) for file in model_files]

    on_cpu = functools.partial(open_all, "cpu")
    if arguments.device == "cpu":
        models = on_cpu()
    else:
        models = open_within_memory(functools.partial(open_all, arguments.device), on_cpu, warn)
    model = combined_model(models, chooser)
    if not chooser:
        check_options_of_kind(options, model.card)
    for each in models if chooser else (model,):
        scale_of_options(each.card.input, options)  # raises where the model cannot see objects of that diameter
    if arguments.output.exists() and not arguments.output.is_dir():
        raise OptionError(f"{arguments.output}: this is a file; -o needs a folder.")
    found = find_images(arguments.images)
    paths = {identity(path): path for path in found.paths}
    images = {key: path for key, path in paths.items() if not is_result(path) and mark_of_zarr(path) is None}
    own = [path for key, path in paths.items() if key not in images]
    for line in (*(each.why for each in found.left_out), *(f"left out: {path}, a result of cpunet" for path in own)):
        report(printable(line), sys.stderr)
    for line in found.problems:
        report(f"FAILED {printable(line)}", sys.stderr)
    if own and not images and not found.problems:
        raise OptionError("there is no image to segment: all files are results of cpunet. Give the images themselves.")
    arguments.output.mkdir(parents=True, exist_ok=True)
    batch = Batch(
        model,
        options,
        arguments.output,
        open_on_cpu=lambda: combined_model(on_cpu(), chooser),
        warn=warn,
        inputs=frozenset(images),
        overwrite=arguments.overwrite,
        diameter_range_px=diameter_range,
        discard_border=arguments.discard_border,
    )
    by_tile = arguments.by_tile or arguments.labels != TIFF_LABELS
    done = _segment_all(list(images.values()), batch, by_tile, arguments.labels, arguments.channel)
    for each in models:
        if each.file_has_changed():
            report(
                f"NOTE {printable(each.path)} was changed, replaced or removed meanwhile. All images were segmented "
                f"with the network that was read at the beginning, SHA-256 {each.sha256}.",
                sys.stderr,
            )
    return Segmented(done.labels, done.failed + len(found.problems))


def _warn_once() -> Callable[[str], None]:
    """Return a function that prints each sentence once, since each image may run out of memory in the same way."""
    said: Set[str] = set()

    def warn(line: str) -> None:
        if line not in said:
            said.add(line)
            report(line, sys.stderr)

    return warn


def _gpu_memory_bytes() -> Optional[int]:
    """Return this process's share of the GPU where several share it; None for all that is free."""
    processes = processes_on_gpu()
    total = None if processes is None else total_gpu_memory_bytes()
    return None if processes is None or total is None else gpu_memory_for_worker(total, processes)


def _segment_all(
    paths: Sequence[Path], batch: Batch, by_tile: bool, label_format: str, channel: Optional[str]
) -> Segmented:
    """Segment each image file by itself; `by_tile`: also those that are not large."""
    failed = 0
    written: Dict[Path, Path] = {}
    for done, path in enumerate(paths):
        show_progress(done, len(paths), path.name)
        try:
            over_time = is_time_stack(path)
            in_volume = not over_time and is_volume_for(path, batch)
            in_parts = not (over_time or in_volume) and (by_tile or goes_by_tile(path))
            labels = (
                labels_of_mosaic(path, batch.output, label_format)
                if in_parts
                else results_of(path, batch.output).labels
            )
            if labels in written:
                raise OptionError(
                    f"{path}: its results would replace those of {written[labels]}, which has the same name. Run the "
                    "two into different folders."
                )
            if over_time and by_tile:
                raise OptionError(
                    f"{path}: a time-lapse is segmented frame by frame, into TIFF. Leave out --by-tile and --labels "
                    "ome-zarr."
                )
            if in_volume and by_tile:
                raise OptionError(
                    f"{path}: a 3-D stack is segmented in the memory, into TIFF. Leave out --by-tile and --labels "
                    "ome-zarr."
                )
            if over_time:
                count = segment_time_lapse(path, batch, channel)
            elif in_volume:
                count = segment_volume_file(path, batch, channel)
            else:
                if channel is not None:
                    batch.warn("NOTE --channel is for stacks; images that are none are taken as they are.")
                count = segment_mosaic_file(path, batch, label_format) if in_parts else segment_file(path, batch)
        except Exception as error:  # a bad file must not keep the others from being done
            stop_if_requested()
            failed += 1
            reason = said_with_way_out(error) if isinstance(error, OSError) else str(error).strip()
            reason = reason or type(error).__name__
            line = printable(reason if reason.startswith(str(path)) else f"{path}: {reason}")
            report(f"FAILED {line}", sys.stderr)
            continue
        written[labels] = path
        # Printing is no part of the work: where it fails, the image has been done all the same.
        where = " in all frames" if over_time else f", {_how_seen(batch)}" if in_volume else ""
        report(f"{printable(path)}: {count} objects{where}")
    show_progress(len(paths), len(paths), "done")
    return Segmented({path: labels for labels, path in written.items()}, failed)


def _how_seen(batch: Batch) -> str:
    return "segmented as a volume" if sees_volumes(batch) else "segmented plane by plane and linked"
