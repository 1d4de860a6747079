"""Keep to the memory that there is: smaller tiles when a network runs out of it, and a fair share of a GPU."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from functools import lru_cache
from typing import Callable, Optional, Tuple

from cpunet.errors import OutOfMemoryError
from cpunet.model.card import ModelCard
from cpunet.model.out_of_memory import is_out_of_memory
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.segmentation import Segmentation

__all__ = [
    "OutOfMemoryError",
    "gpu_memory_for_worker",
    "is_out_of_memory",
    "segment_within_memory",
    "smaller_tiles",
    "total_gpu_memory_bytes",
]

# What a tile keeps within its halo, in units of `divisible_by`: less, and most of the work is for the halo.
LEAST_UNITS_KEPT = 4
# The rest is for the screen, and for what CUDA itself needs in each process.
SHARE_OF_GPU = 0.8
NVIDIA_SMI_SECONDS = 5


def segment_within_memory(
    segment: Callable[[Model, Options], Segmentation],
    model: Model,
    options: Options,
    open_on_cpu: Callable[[], Model],
    warn: Callable[[str], None],
) -> Segmentation:
    """Segment an image with smaller and smaller tiles until the memory is enough, at last on the CPU.

    Parameters
    ----------
    segment : callable
        Takes a model and options, gives the result; called again after it ran out of memory.
    model : Model
    options : Options
        With what to begin.
    open_on_cpu : callable
        Gives the same model on the CPU; called only if the memory is too small for the smallest tiles, and `model`
        does not run on the CPU already.
    warn : callable
        Told, in a sentence for a person, of each further try.

    Returns
    -------
    Segmentation

    Raises
    ------
    OutOfMemoryError
        If the CPU has too little memory too.

    Notes
    -----
    The halo stays, so smaller tiles change nothing but the time. All other errors pass through, those that
    `options.on_progress` raises among them.
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


def _with_smaller_tiles(
    segment: Callable[[Model, Options], Segmentation], model: Model, options: Options, warn: Callable[[str], None]
) -> Tuple[Optional[Segmentation], str, Tuple[int, int]]:
    """Return the result, or None, why there is none and the last size of tiles."""
    while True:
        try:
            return segment(model, options), "", options.tile_shape
        except (OutOfMemoryError, MemoryError) as error:
            shape = error.shape if isinstance(error, OutOfMemoryError) else None  # numpy's has one of its own
            failure = str(error).strip() or "out of memory"
        # Only here is what the failed call held let go of: until its end, the error holds it.
        seen = options.tile_shape
        if shape is not None:  # the image may be smaller than the tiles that were asked for
            seen = min(seen[0], shape[2]), min(seen[1], shape[3])
        smaller = smaller_tiles(seen, model.card)
        if smaller is None:
            return None, failure, options.tile_shape
        warn(f"The memory is too small for tiles of {_size(seen)} pixels; trying again with {_size(smaller)} pixels.")
        options = replace(options, tile_shape=smaller, batch_size=1)


def smaller_tiles(tile_shape: Tuple[int, int], card: ModelCard) -> Optional[Tuple[int, int]]:
    """Halve tiles as far as a model's halo allows.

    Parameters
    ----------
    tile_shape : tuple of int
        Height and width, pixels.
    card : ModelCard

    Returns
    -------
    tuple of int, or None
        Multiples of what the model takes; None if the tiles cannot be smaller. A side that is shorter than the halo
        asks for becomes longer, since the tiles of the same image at another scale would not cover it otherwise.
    """
    unit = card.input.divisible_by
    smallest = max(2 * -(-card.output.halo // unit) * unit + LEAST_UNITS_KEPT * unit, card.input.min_size)
    smallest = -(-smallest // unit) * unit
    height, width = (max(side // 2 // unit * unit, smallest) for side in tile_shape)
    return (height, width) if height < tile_shape[0] or width < tile_shape[1] else None


def _size(tile_shape: Tuple[int, int]) -> str:
    return f"{tile_shape[0]} x {tile_shape[1]}"


def gpu_memory_for_worker(total_bytes: int, workers: int) -> int:
    """Share a GPU's memory among processes that run at once.

    Parameters
    ----------
    total_bytes : int
        Of the GPU.
    workers : int
        Processes; 0 counts as 1.

    Returns
    -------
    int
        Bytes for each: an equal part of 80 %.
    """
    return int(total_bytes * SHARE_OF_GPU) // max(1, workers)


@lru_cache(maxsize=None)
def total_gpu_memory_bytes() -> Optional[int]:
    """Ask the NVIDIA driver how much memory the GPU has.

    Returns
    -------
    int, or None
        Bytes, of the smallest GPU if there are several; None if there is none, or its driver does not say. Asked once a
        process.
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
            # Otherwise a black window flashes up over CellProfiler's on Windows.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ).stdout
        return min(int(line) for line in answer.decode("ascii").split("\n") if line.strip()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):  # not to be run, failed or too slow, or no number
        return None
