"""What a model must do when it is opened for the first time."""

from __future__ import annotations

from typing import Tuple, cast

import numpy as np

from cpunet.checks.stored_test import STORED_TEST_KEY, run_stored_test
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.card import INSTANCES
from cpunet.model.protocol import InstanceModel, Model
from cpunet.onnx_reader.metadata import metadata_of
from cpunet.onnx_reader.model_file import ModelFile


def run_once(file: ModelFile, model: Model, shape: Tuple[int, ...]) -> None:
    """Run the test in a model file; noise of `shape` (N, C, Y, X) if it carries no test.

    Raises
    ------
    ModelError
        If the network fails, returns what are no probabilities or objects, or does not give the output that is stored.
    """
    stored = metadata_of(file).get(STORED_TEST_KEY)
    if stored is None:
        noise = np.random.default_rng(0).random(shape, np.float32)
        if model.card.output.kind == INSTANCES:
            cast(InstanceModel, model).find_instances(noise)
        else:
            model.predict(noise)
        return
    try:
        run_stored_test(stored, model, file.path)
    except DisagreementError as error:
        raise ModelError(
            f"{error} The file does not compute what it did when it was written: it is damaged or was changed. Copy or "
            "download it again, or export it again."
        ) from None
