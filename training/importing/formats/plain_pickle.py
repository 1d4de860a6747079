"""Read a pickle that holds numpy arrays and plain containers, without running anything that it names.

A pickle is a list of commands, which may name any function of any package and have it called. Here, no name of a pickle
leads to real code: those of numpy's arrays lead to stand-ins that only keep what they are given. Others are refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cpunet.training.importing.formats.quoted import quoted, reason_of

NUMPY = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
# Kinds of numbers: truth values, whole numbers, whole numbers from 0 on, fractions.
KINDS = "biuf"


class UnsafePickleError(ValueError):
    """A pickle that names something else than arrays, or is damaged."""


def read_plain_pickle(data: bytes) -> object:
    """Return what a pickle holds.

    Parameters
    ----------
    data : bytes
        All of the pickle; bytes after its end are not looked at.

    Returns
    -------
    object
        Numbers, texts, bytes, lists, tuples, dictionaries and sets as they are. An array is a `StoredArray`.

    Raises
    ------
    UnsafePickleError
        If it names anything else than numpy's arrays and numbers, dictionaries, sets and paths; or is damaged.
    """
    try:
        _check_commands(data)
        return _Reader(io.BytesIO(data)).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # damaged pickles bring exceptions of every kind
        raise UnsafePickleError(f"it is damaged or cut short: {reason_of(error)}") from error


class StoredArray:
    """What a pickle says of an array, as it is."""

    def __init__(self, *_: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        """Keep the state."""
        self.state = state

    def numbers(self) -> NDArray[np.generic] | None:
        """Return the array; None if it does not hold numbers, or is damaged."""
        state = self.state
        if not (isinstance(state, tuple) and len(state) == 5):
            return None
        _, shape, dtype, by_columns, content = state
        kind = dtype.numpy_dtype() if isinstance(dtype, StoredType) else None
        lengths_fit = isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)
        if kind is None or not lengths_fit or not isinstance(content, bytes):
            return None
        if len(content) != int(np.prod(shape, dtype=object)) * kind.itemsize:
            return None
        return np.frombuffer(content, kind).reshape(shape, order="F" if by_columns else "C")


class StoredType:
    """What a pickle says of the type of an array's numbers."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name, self.order = name, "|"

    def __setstate__(self, state: object) -> None:
        """Keep the byte order."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def numpy_dtype(self) -> np.dtype[np.generic] | None:
        """Return the type; None if it is not one of numbers."""
        if not isinstance(self.name, str) or self.name[:1] not in KINDS or self.name[1:] not in ("1", "2", "4", "8"):
            return None
        try:
            return np.dtype(self.name).newbyteorder(self.order)
        except TypeError:
            return None


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return a stand-in for a name that is understood; it is made anew, so that no pickle can change it."""
        if module in NUMPY and name in ("ndarray", "_reconstruct"):
            return type("StoredArray", (StoredArray,), {})
        if module in NUMPY and name == "dtype":
            return type("StoredType", (StoredType,), {})
        if module in NUMPY and name == "scalar":
            return lambda *parts: parts
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "builtins" and name in ("set", "frozenset"):
            return set if name == "set" else frozenset
        if module.partition(".")[0] == "pathlib":
            return lambda *parts: parts
        raise UnsafePickleError(f"it asks for {quoted(f'{module}.{name}')}")


def _check_commands(data: bytes) -> None:
    """Refuse a pickle that is cut short, or makes a table of more places than it has commands."""
    for number, (command, argument, _) in enumerate(pickletools.genops(data)):
        if "PUT" in command.name and isinstance(argument, int) and argument > number:
            raise UnsafePickleError(f"its table has a place {argument}, more than it needs")
