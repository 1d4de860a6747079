"""The hardware for a training run: memory, processor cores and GPU."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from cpunet.cores import cores_allowed


@dataclass(frozen=True)
class Machine:
    """The hardware of a run.

    Attributes
    ----------
    free_bytes : int
        Free memory of the GPU if there is one, otherwise of the computer.
    gpu : str
        Its name; empty if there is none.
    cores : int
    fast_bf16 : bool
        Whether the hardware computes with 16-bit floating point (bf16).
    """

    free_bytes: int
    gpu: str
    cores: int
    fast_bf16: bool


def this_machine() -> Machine:
    """Measure free memory, cores and GPU."""
    cores = cores_allowed()  # a cluster gives a job a part of its machine
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return Machine(
            free, torch.cuda.get_device_name(), cores, torch.cuda.is_bf16_supported(including_emulation=False)
        )
    # Without instructions for them, a processor converts 16-bit numbers back and forth.
    fast = any(getattr(torch.cpu, name, bool)() for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return Machine(psutil.virtual_memory().available, "", cores, fast)


def stay_within_cores() -> None:
    """Let torch compute with no more threads than this process may use cores; it knows nothing of control groups."""
    torch.set_num_threads(min(torch.get_num_threads(), cores_allowed()))
