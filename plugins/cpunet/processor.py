"""What the processor is good at."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Mapping

from cpunet.control_groups import PROC, lines_of

# Instructions that multiply 8-bit numbers and add the products in 32 bits, as Linux and numpy name them.
OF_LINUX = ("avx512_vnni", "avx_vnni", "amx_int8")
OF_NUMPY = ("AVX512VNNI",)
PLACES_OF_NUMPY = ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath")  # from numpy 2 on, and before


def multiplies_8_bits_fast(proc: Path = PROC) -> bool:
    """Return True if a network in 8-bit integers is known to be faster than one in float32 on this processor.

    Parameters
    ----------
    proc : Path
        Where Linux shows processors.

    Notes
    -----
    These are processors of Intel and AMD with AVX-512 VNNI, AVX-VNNI or AMX. Linux lists them all; on Windows and
    macOS, numpy knows of AVX-512 VNNI alone. Others, such as those of ARM, were not measured: False.
    """
    lines = lines_of(proc / "cpuinfo")
    if lines:
        words = {word for line in lines if line.startswith("flags") for word in line.split()}
        return not words.isdisjoint(OF_LINUX)
    features = _features_of_numpy()
    return any(features.get(name, False) for name in OF_NUMPY)


def _features_of_numpy() -> Mapping[str, bool]:
    for place in PLACES_OF_NUMPY:
        try:
            found: Mapping[str, bool] = importlib.import_module(place).__cpu_features__
        except (ImportError, AttributeError):
            continue
        return found
    return {}
