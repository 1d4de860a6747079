"""Check a model card against its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from cpunet.errors import ModelError

SCHEMA_FILE = Path(__file__).with_name("model_card.schema.json")


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of the model card."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def schema_errors(content: Any) -> list[str]:
    """Say where a card departs from its schema.

    Parameters
    ----------
    content : object
        What stands in the card's JSON.

    Returns
    -------
    list of str
        Each with the field's dotted name; empty if all is well.
    """
    found = sorted(Draft202012Validator(read_schema()).iter_errors(content), key=lambda error: error.json_path)
    return [f"{error.json_path.removeprefix('$').lstrip('.') or 'the card'}: {error.message}" for error in found]


def check_against_schema(content: Mapping[str, Any]) -> None:
    """Refuse a card that departs from its schema.

    Parameters
    ----------
    content : mapping
        What stands in the card's JSON.

    Raises
    ------
    ModelError
        Names all that is wrong.
    """
    errors = schema_errors(content)
    if errors:
        raise ModelError(f"The model card does not follow its schema ({SCHEMA_FILE.name}): {'; '.join(errors)}.")
