"""All errors that a user can see. Each message names the cause, the value found and the solution."""

from __future__ import annotations

import errno
from typing import Optional, Tuple

# What to do about what the system refuses, by its number; not every system has all of them.
SYSTEM_WAYS_OUT = {
    "ENOSPC": "The disk is full: free some space, or write to another disk.",
    "EDQUOT": "Your share of the disk is full: free some space, or write to another disk.",
    "EFBIG": "Files may not be so large here, by `ulimit -f` or by the disk's format: write to another disk.",
    "EACCES": "You may not read or write there: change the permissions, or choose another place.",
    "EPERM": "You may not read or write there: change the permissions, or choose another place.",
    "EROFS": "Nothing can be written to this disk: choose another place.",
    "ENOTDIR": "A part of this path is a file, where a folder is needed: choose another place.",
    "ENAMETOOLONG": "Give it a shorter name.",
    "EIO": "The disk or the network drive fails: copy the file to another disk, or try again.",
}


class CpunetError(Exception):
    """Base of all errors for users. The command line prints the message instead of a traceback."""


class OptionError(CpunetError, ValueError):
    """An option out of its range, or options that exclude each other."""


class ImageError(CpunetError, ValueError):
    """An image that cannot be read, or does not fit the model."""


class OutputError(CpunetError, ValueError):
    """A result that would replace something of the user's; nothing was written."""


class ModelError(CpunetError, ValueError):
    """A model file, or its card, that cannot be used."""


class OutOfMemoryError(ModelError):
    """A network that the memory is too small for; a smaller input may fit.

    Attributes
    ----------
    shape : tuple of int, optional
        (N, C, Y, X) of the input that did not fit, if it is known.
    """

    def __init__(self, message: str, shape: Optional[Tuple[int, ...]] = None) -> None:
        super().__init__(message)
        self.shape = shape


class DeviceError(CpunetError, RuntimeError):
    """A device that was asked for and cannot be used."""


class RuntimeMissingError(CpunetError, ImportError):
    """The package that runs the network is missing, or fails to load."""


class DisagreementError(CpunetError, ValueError):
    """Two computations of the same probabilities that differ by more than rounding."""


class DataError(CpunetError, ValueError):
    """A data set that cannot be used."""


class LabelFileError(DataError):
    """A file of labels that cannot be used."""


class BatchError(CpunetError, RuntimeError):
    """A batch that cannot be planned, run or merged."""


class ConfigError(CpunetError, ValueError):
    """A training configuration that cannot be used; the message names the field."""


class WeightsError(CpunetError, ValueError):
    """A file of weights that cannot be used."""


class ExportError(CpunetError, RuntimeError):
    """An exported file that does not do what the network does; nothing was written."""


class PackageError(CpunetError, RuntimeError):
    """A bioimage.io package that does not pass its own test; nothing was written."""


class PipelineError(CpunetError, ValueError):
    """A pipeline file that cannot be converted; the message does not name the file."""


class ScoreError(CpunetError, ValueError):
    """A model that does not reach the scores of its card."""


class ReportError(CpunetError, RuntimeError):
    """A page that cannot be made."""


class ComparisonError(CpunetError, RuntimeError):
    """A comparison of two modules that cannot be run; nothing was written."""


class ReviewError(CpunetError, ValueError):
    """A file of an expert's review that cannot be scored; the message names the line."""


class TutorialError(CpunetError, RuntimeError):
    """A command of the tutorial that failed."""


def said_with_way_out(error: OSError) -> str:
    """Return what the system says of an error, and what to do about it."""
    name = errno.errorcode.get(error.errno or 0, "")
    said = str(error)
    return f"{said}. {SYSTEM_WAYS_OUT[name]}" if name in SYSTEM_WAYS_OUT else said
