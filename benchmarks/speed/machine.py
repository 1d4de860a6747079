"""Describe the machine, and tell whether other work runs on it."""

import os
import platform
import re
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from cpunet.cores import cores_allowed
from cpunet.model.memory import total_gpu_memory_bytes

PROC = Path("/proc")
# What matrix products and convolutions may use; Linux' names of them.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "asimddp")
PACKAGES = (
    *("numpy", "scipy", "scikit-image", "onnxruntime", "onnxruntime-gpu", "CellProfiler"),
    *("torch", "tensorflow", "stardist", "cellpose"),
)
# They change how many threads libraries take, or which of their kernels.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OMP_WAIT_POLICY")
# A machine on which nothing runs shows less than this in a second.
IDLE_SHARE = 0.03


def describe(processor_lines: Optional[List[str]] = None) -> Dict[str, Any]:
    """Return what a reader needs to compare figures: processor, cores, memory, system, and versions of packages.

    Parameters
    ----------
    processor_lines : list of str, optional
        As /proc/cpuinfo has them; those of this machine by default.
    """
    if processor_lines is None:
        processor_lines = _lines(PROC / "cpuinfo")
    gpu = total_gpu_memory_bytes()
    flags = _of_processor(processor_lines, "flags") or _of_processor(processor_lines, "Features")
    return {
        "processor": _of_processor(processor_lines, "model name") or platform.processor() or platform.machine(),
        "model": _of_processor(processor_lines, "model"),
        "features": [name for name in FEATURES if name in flags.split()],
        "cores": cores_allowed(),
        "memory_gib": _memory_gib(),
        "gpu_memory_gib": None if gpu is None else round(gpu / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": versions(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def folder_name(machine: Dict[str, Any]) -> str:
    """Name a machine's folder of results: the same name for the same processor and number of cores.

    >>> folder_name({"processor": "Intel(R) Xeon(R) Processor", "model": "207", "cores": 2})
    'intel-xeon-processor-207-2-cores'
    """
    words = re.sub(r"\((?:R|TM)\)|CPU|@.*", " ", machine["processor"])
    return "-".join(re.findall(r"[a-z0-9.]+", f"{words} {machine['model']} {machine['cores']} cores".lower()))


def versions() -> Dict[str, str]:
    """Return the versions of the packages that are measured, as far as this Python has them."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def busy_share(seconds: float = 2.0) -> Optional[float]:
    """Return which share of all cores other work takes, 0 to 1, watched for some seconds; None if unknown."""
    before = _idle_and_all()
    own = time.process_time()
    time.sleep(seconds)
    after = _idle_and_all()
    if before is None or after is None or after[1] <= before[1]:
        return None
    own_ticks = (time.process_time() - own) * os.sysconf("SC_CLK_TCK")
    busy = (after[1] - before[1]) - (after[0] - before[0]) - own_ticks
    return float(min(1.0, max(0.0, busy / (after[1] - before[1]))))


def warning_of_load(share: Optional[float]) -> str:
    """Say what a share of busy cores means for the figures; empty if the machine was idle."""
    if share is None:
        return "This system does not tell whether other programs run. Close them."
    if share <= IDLE_SHARE:
        return ""
    return (
        f"Other programs take {share:.0%} of this machine's cores. Seconds and images a second are not valid, and even "
        "ratios are doubtful: end the other programs and measure again."
    )


def _idle_and_all() -> Optional[Tuple[int, int]]:
    """Return how long the cores waited, and how long they exist, in the system's ticks."""
    lines = _lines(PROC / "stat")
    if not lines or not lines[0].startswith("cpu "):
        return None
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already
    ticks = [int(word) for word in lines[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _of_processor(lines: List[str], key: str) -> str:
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _memory_gib() -> Optional[int]:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def _lines(path: Path) -> List[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
