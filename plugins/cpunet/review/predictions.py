"""Objects that a model predicts, for a review."""

from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple

import numpy as np
import numpy.typing as npt

from cpunet.model.forms import fastest_form, forms_of
from cpunet.model.memory import open_within_memory, segment_within_memory
from cpunet.model.protocol import Model
from cpunet.model.session import open_model
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.options import Options, check_options
from cpunet.segment import segment_image
from cpunet.steps.scale import scale_of_options

Predict = Callable[[npt.NDArray[Any]], npt.NDArray[np.int32]]


class Predictor(NamedTuple):
    """A function that turns an image (Y, X) or (Y, X, C) into labels (Y, X), int32, and the model's name."""

    predict: Predict
    name: str


def open_predictor(name_or_path: str, device: str, options: Options, warn: Callable[[str], None]) -> Predictor:
    """Open a model for images of any size.

    Parameters
    ----------
    name_or_path : str
        As `cpunet.model.find.find_model` takes it.
    device : str
        One of `cpunet.model.session.DEVICES`.
    options : Options
    warn : callable
        Called with sentences on the memory, and with notes on images.

    Raises
    ------
    OptionError, ModelError, DeviceError, RuntimeMissingError
        If an option is wrong, or the model cannot be opened or see objects of the given diameter.
    """
    check_options(options)
    file = read_model_file(fastest_form(forms_of(name_or_path), device))

    def open_on(chosen: str) -> Model:
        return open_model(file, chosen)

    on_cpu = functools.partial(open_on, "cpu")
    model = open_within_memory(functools.partial(open_on, device), on_cpu, warn)
    scale_of_options(model.card.input, options)

    def predict(image: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        found = segment_within_memory(functools.partial(segment_image, image), model, options, on_cpu, warn)
        for note in found.notes:
            warn(f"note: {note}")
        return found.labels

    return Predictor(predict, f"{model.card.name} {model.card.version}")
