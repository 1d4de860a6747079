"""What is found out about another program's network by running it, for its card and its file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cpunet.checks.halo import measure_halo
from cpunet.checks.stored_test import StoredTest, stored_test_to_json, synthetic_input
from cpunet.export.card.declared import measured_sizes
from cpunet.export.card.fields import field_value
from cpunet.export.card.file import checked_text, errors_name, with_card
from cpunet.model.session import load_model

MEASURED = ("input.divisible_by", "input.min_size", "output.halo")


def measured_fields(
    path: Path, onnx_bytes: bytes, answers: Mapping[str, Any], draft: Mapping[str, Any]
) -> dict[str, int]:
    """Measure what nobody answered for, on a copy.

    Parameters
    ----------
    path : Path
        Of the ONNX file, for messages.
    onnx_bytes : bytes
        Its content, without a card.
    answers : mapping
        The card's content as far as it is known.
    draft : mapping
        The same, complete; see `cpunet.export.card.answers.with_defaults`.

    Returns
    -------
    dict of str to int
        Values by the fields' dotted names.

    Raises
    ------
    ModelError
        If the network does not run, or takes no size that was tried.
    """
    wanted = [name for name in MEASURED if field_value(answers, name) is None]
    if not wanted:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(with_card(onnx_bytes, checked_text(draft)))
        with errors_name(path, instead_of=copy):
            model = load_model(copy, device="cpu")
            unit, smallest = (field_value(answers, f"input.{name}") for name in ("divisible_by", "min_size"))
            if unit is None or smallest is None:
                sizes = measured_sizes(model, unit)
                unit, smallest = sizes["divisible_by"], smallest or sizes["min_size"]
            found = {"input.divisible_by": unit, "input.min_size": smallest}
            if "output.halo" in wanted:
                found["output.halo"] = measure_halo(model.predict, len(model.card.input.channels), unit, smallest)
    return {name: found[name] for name in wanted}


def computed_test(path: Path, onnx_bytes: bytes, text: str) -> str:
    """Let the network compute a test here, by which others can tell whether it computes the same there.

    Parameters
    ----------
    path : Path
        Of the ONNX file, for messages.
    onnx_bytes : bytes
        Its content, without a card.
    text : str
        The card's JSON.

    Returns
    -------
    str
        As it stands in the file's metadata.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(with_card(onnx_bytes, text))
        with errors_name(path, instead_of=copy):
            model = load_model(copy, device="cpu")
            image = synthetic_input(model.card.input)
            return stored_test_to_json(StoredTest(image, model.predict(image)))
