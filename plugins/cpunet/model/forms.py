"""Which form of a model runs: its float32 file, or one in 8-bit integers that some processors run faster."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Optional, Sequence, Tuple

from cpunet.model.find import DEFAULT_MODEL, FLOAT32_NAMES, MODEL_FILE, find_model, list_models
from cpunet.model.first_opening.shipped import SHIPPED_SUMS
from cpunet.model.session import CUDA, import_onnxruntime
from cpunet.onnx_reader.metadata import sha256
from cpunet.onnx_reader.model_file import FileState, state_of
from cpunet.processor import multiplies_8_bits_fast

# The models whose form in 8-bit integers has the same mean F1 within 0.002, over all objects of validation images.
INT8_FORMS = {DEFAULT_MODEL: "nuclei_fluorescence_int8"}


def forms_of(name: str) -> Tuple[Path, ...]:
    """Return the files that a model's name may stand for: the float32 one, and the one in 8-bit integers if any.

    Parameters
    ----------
    name : str
        A name, or a path, as `cpunet.model.find.find_model` takes it; its errors are raised.

    Returns
    -------
    tuple of Path
        Two only for a shipped model and its shipped form: a file of the user's under the same name has no other.
    """
    path = find_model(name)
    other = list_models().get(INT8_FORMS.get(name, ""))
    if other is None or other != path.parents[1] / INT8_FORMS[name] / MODEL_FILE:
        return (path,)
    pair = path, other
    try:
        return pair if all(_sum_of(each, state_of(each)) in SHIPPED_SUMS for each in pair) else (path,)
    except OSError:  # opening the file says what is wrong
        return (path,)


def sum_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again only after it has changed; '' if it cannot be read."""
    try:
        return _sum_of(path, state_of(path))
    except OSError:  # opening the file says what is wrong
        return ""


@functools.lru_cache(maxsize=16)
def _sum_of(path: Path, state: FileState) -> str:
    """Return the SHA-256 of a file; in CellProfiler's test mode it is asked for with each image set."""
    return sha256(path)


def fastest_form(forms: Sequence[Path], device: str) -> Path:
    """Return the form of a model that this computer runs fastest.

    Parameters
    ----------
    forms : sequence of Path
        From `forms_of`.
    device : str
        ``automatic``, ``cpu`` or ``cuda``, where the network will run.

    Returns
    -------
    Path
        That in 8-bit integers on a CPU that multiplies 8-bit numbers fast, and float32 elsewhere and on a GPU.

    Raises
    ------
    RuntimeMissingError
        If onnxruntime, which knows whether there is a GPU, cannot be loaded.
    """
    return forms[-1] if len(forms) > 1 and multiplies_8_bits_fast() and runs_on_cpu(device) else forms[0]


def chosen_form(forms: Sequence[Path], device: str, known: Optional[Sequence[str]] = None) -> Path:
    """Return the form of a model that is run: the fastest, or the one with a sum that is known.

    Parameters
    ----------
    forms, device
        See `fastest_form`.
    known : sequence of str, optional
        SHA-256 of the files that something was learned for, such as a file that chooses among models. If no form is
        among them, the first is returned, so that the user is told of it by its name.
    """
    if known is None:
        return fastest_form(forms, device)
    return next((path for path in forms if sum_of_file(path) in known), forms[0])


def runs_on_cpu(device: str) -> bool:
    """Return True if a network on this device certainly runs on the CPU."""
    return device == "cpu" or (device == "automatic" and CUDA not in import_onnxruntime().get_available_providers())


def said_of_form(forms: Sequence[Path], chosen: Path) -> str:
    """Say in which of its forms a model runs, and how to choose another; '' for a model with one form."""
    if len(forms) == 1:
        return ""
    name = forms[0].parent.name
    if chosen == forms[0]:
        form, why = "float32", "no instructions for 8-bit products were found on this processor, or a GPU may be used"
    else:
        form, why = "8-bit integers", "this processor has instructions for 8-bit products"
    fixed = [each for each, model in FLOAT32_NAMES.items() if model == name] + [INT8_FORMS[name]]
    return f"{name} runs in {form}: {why}. To run one form on every computer, choose {' or '.join(fixed)}."
