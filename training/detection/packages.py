"""Say what Mask R-CNN needs where it is not installed."""

from __future__ import annotations

from cpunet.errors import RuntimeMissingError


def missing(error: ImportError) -> RuntimeMissingError:
    """Return the error for a package that training or exporting Mask R-CNN needs; `error` is that of its import."""
    return RuntimeMissingError(
        f"Mask R-CNN needs torchvision, which is not installed here, or does not fit this torch ({error}). Use an "
        "environment of its own: `make detection` in the folder of the repository makes .venv/detection, and "
        ".venv/detection/bin/cpunet is the command."
    )
