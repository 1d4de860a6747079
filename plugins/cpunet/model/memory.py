"""Stay within the memory: smaller tiles when a network runs out of it, and a fair share of a GPU."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from functools import lru_cache
from typing import Callable, Optional, Tuple, TypeVar

from cpunet.environment import number_in_environment
from cpunet.errors import OutOfMemoryError
from cpunet.model.axes import halos, least_sizes, round_up, units
from cpunet.model.card import INSTANCES, VOLUMES, ModelCard
from cpunet.model.protocol import Described
from cpunet.options import TILE_PX, Options

# The planes of a volume's tiles where they were not asked for: more than are chosen, so that fewer are tried next.
TILE_PLANES = 64
# The side of a tile without its halo is at least so many units of `divisible_by`; below, most of the work is the halo.
LEAST_UNITS_KEPT = 4
# The rest is for the screen, and for what CUDA needs in each process.
SHARE_OF_GPU = 0.8
NVIDIA_SMI_SECONDS = 5
PROCESSES_VARIABLE = "CPUNET_PROCESSES_PER_GPU"
Result = TypeVar("Result")
AnyModel = TypeVar("AnyModel", bound=Described)


def segment_within_memory(
    segment: Callable[[AnyModel, Options], Result],
    model: AnyModel,
    options: Options,
    open_on_cpu: Callable[[], AnyModel],
    warn: Callable[[str], None],
) -> Result:
    """Segment an image; when the memory is too small, try smaller tiles, and then the CPU.

    Parameters
    ----------
    segment : callable
        Turns a model and options into the result, such as ``functools.partial(segment_image, image)``.
    model : Model
    options : Options
        For the first try.
    open_on_cpu : callable
        Opens the same model on the CPU; called only if the smallest tiles do not fit and `model` is not on the CPU.
    warn : callable
        Called with a sentence before each further try.

    Raises
    ------
    OutOfMemoryError
        If the memory is too small on the CPU as well.

    Notes
    -----
    The halo stays the same, so smaller tiles change only the time. All other errors pass through, including those that
    `options.on_progress` raises.

    After each failure the model starts anew, if it can: a session keeps all memory that it once took, and what fails
    beside that may fit where it begins with small tiles.
    """
    found, failure, tried = _with_smaller_tiles(segment, model, options, warn)
    if found is None and getattr(model, "provider", "") != "CPUExecutionProvider":
        warn(
            f"The memory is too small for tiles of {_size(tried)} pixels too; the network now runs on the CPU, slower."
        )
        found, failure, tried = _with_smaller_tiles(segment, open_on_cpu(), options, warn)
    if found is None:
        raise OutOfMemoryError(
            f"The memory is too small for this image, even in tiles of {_size(tried)} pixels on the CPU. Close "
            f"other programs, run fewer workers at once, or crop the image. ({failure})"
        )
    return found


def open_within_memory(
    open_model: Callable[[], Result], open_on_cpu: Callable[[], Result], warn: Callable[[str], None]
) -> Result:
    """Open a model; on the CPU where the memory of the GPU is too small even for that, as beside other processes.

    Parameters
    ----------
    open_model, open_on_cpu : callable
        Open the same model.
    warn : callable
        Called with a sentence before the CPU is tried.

    Raises
    ------
    OutOfMemoryError
        If the memory is too small on the CPU as well.
    """
    try:
        return open_model()
    except OutOfMemoryError:
        pass  # the error holds memory until the end of its block
    warn("The memory is too small to open the model on the GPU; the network now runs on the CPU, slower.")
    return open_on_cpu()


def _with_smaller_tiles(
    segment: Callable[[AnyModel, Options], Result], model: AnyModel, options: Options, warn: Callable[[str], None]
) -> Tuple[Optional[Result], str, Tuple[int, ...]]:
    """Return the result or None, the reason of the last failure, and the last size of tiles."""
    while True:
        tiles = _tiles_of(options, model.card)
        try:
            return segment(model, options), "", tiles
        except (OutOfMemoryError, MemoryError) as error:
            shape = error.shape if isinstance(error, OutOfMemoryError) else None  # numpy's has one of its own
            failure = str(error).strip() or "out of memory"
        # Only here is the memory of the failed call free: the error held it until the end of its block.
        try:
            _start_anew(model)
        except OutOfMemoryError as error:
            return None, str(error), tiles
        seen = tiles
        if shape is not None:  # the image may be smaller than the tiles that were asked for
            asked = options.tile_shape is not None or options.tile_planes is not None
            seen = tuple(map(min, tiles if asked else shape[2:], shape[2:]))
        smaller = smaller_tiles(seen, model.card)
        if smaller is None:
            return None, failure, tiles
        warn(f"The memory is too small for tiles of {_size(seen)} pixels; trying again with {_size(smaller)} pixels.")
        height, width = smaller[-2:]
        planes = smaller[0] if len(smaller) == VOLUMES else None
        options = replace(options, tile_shape=(height, width), tile_planes=planes, batch_size=1)


def _tiles_of(options: Options, card: ModelCard) -> Tuple[int, ...]:
    """Return the tiles that are asked for; where they are chosen for the image, they are at least so large."""
    sides = options.tile_shape or (TILE_PX, TILE_PX)
    return sides if card.input.dimensions != VOLUMES else (options.tile_planes or TILE_PLANES, *sides)


def _start_anew(model: Described) -> None:
    """Let a model give back all memory that it holds; a model without a session has none."""
    for each in getattr(model, "models", (model,)):  # of an ensemble
        if hasattr(each, "start_anew"):
            each.start_anew()


def smaller_tiles(tile_shape: Tuple[int, ...], card: ModelCard) -> Optional[Tuple[int, ...]]:
    """Halve the height and width of tiles, and the planes of a volume's, as far as a model's halo allows.

    Returns multiples of what the card asks for, or None if the tiles cannot become smaller. A side that is too short
    for the halo becomes longer, since tiles must also cover the same image at another scale. Tiles of a network that
    takes one size only stay as they are.
    """
    if card.input.tile_shape is not None:
        return None
    # Networks that give objects mostly take any size, and would be seen in tiles that keep some pixels each.
    kept = halos(card) if card.output.kind == INSTANCES else (0, 0, 0)
    axes = zip(tile_shape, units(card.input), halos(card), least_sizes(card.input), kept)
    smaller = tuple(
        max(length // 2 // unit * unit, round_up(max(2 * halo + max(LEAST_UNITS_KEPT * unit, more), least), unit))
        for length, unit, halo, least, more in axes
    )
    return smaller if any(new < old for new, old in zip(smaller, tile_shape)) else None


def _size(tile_shape: Tuple[int, ...]) -> str:
    planes = f"{tile_shape[0]} planes of " if len(tile_shape) == VOLUMES else ""
    return f"{planes}{tile_shape[-2]} x {tile_shape[-1]}"


def gpu_memory_for_worker(total_bytes: int, workers: int) -> int:
    """Return an equal part of 80 % of a GPU's memory for each process that runs at once; 0 workers count as 1."""
    return int(total_bytes * SHARE_OF_GPU) // max(1, workers)


def processes_on_gpu() -> Optional[int]:
    """Return how many processes share each GPU, by the environment variable CPUNET_PROCESSES_PER_GPU; None if not set.

    Raises OptionError if it is no number, or below 1. `cpunet batch` sets it for pieces that run beside each other.
    """
    return number_in_environment(PROCESSES_VARIABLE)


@lru_cache(maxsize=None)
def total_gpu_memory_bytes() -> Optional[int]:
    """Ask the NVIDIA driver for the memory of the GPU, once in each process.

    Returns
    -------
    int or None
        Bytes, of the smallest GPU if there are several. None if there is no GPU or its driver does not answer.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=NVIDIA_SMI_SECONDS,
            check=True,
            # Otherwise a black window appears over CellProfiler's on Windows for a moment.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ).stdout
        return min(int(line) for line in answer.decode("ascii").split("\n") if line.strip()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):  # not found, failed, too slow, or no number in the answer
        return None
