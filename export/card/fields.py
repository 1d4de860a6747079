"""The fields of a model card by their dotted names, such as ``input.diameter_px``, and values for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from cpunet.errors import ModelError
from cpunet.model.card import InputCard, ModelCard, Normalization, OutputCard, Postprocessing

# Where the fields of each class stand in the JSON; "" is the card itself.
PLACES: dict[str, type[Any]] = {
    "": ModelCard,
    "input": InputCard,
    "input.normalization": Normalization,
    "output": OutputCard,
    "postprocessing": Postprocessing,
}


def card_fields() -> dict[str, str]:
    """Return the type of every field by its dotted name, without ``card_version``.

    Examples
    --------
    >>> card_fields()["output.halo"]
    'int'
    """
    found = {
        f"{place}.{field.name}".lstrip("."): str(field.type) for place, kind in PLACES.items() for field in fields(kind)
    }
    return {name: kind for name, kind in found.items() if name not in PLACES and name != "extra"}


def check_known(names: Iterable[str]) -> None:
    """Refuse dotted names that are no fields of a card, and name the fields that there are."""
    known = card_fields()
    unknown = [repr(name) for name in names if name not in known]
    if unknown:
        raise ModelError(f"A model card has no field {', '.join(unknown)}; its fields are {', '.join(known)}.")


def value_from_text(name: str, text: str) -> Any:
    """Read the value of the field `name` from the command line.

    A list is written with commas, or as JSON; an object as JSON; no value as ``null``.

    Examples
    --------
    >>> value_from_text("authors", "A. Curie, B. Noether")
    ['A. Curie', 'B. Noether']
    """
    kind = card_fields()[name]
    try:
        if kind == "str":
            return text
        if kind == "int":
            return int(text)
        if kind == "float" or (kind == "Optional[float]" and text != "null"):
            return float(text)
        if kind.startswith("Tuple") and not text.lstrip().startswith("["):
            return [item.strip() for item in text.split(",") if item.strip()]
        return json.loads(text)  # its type is checked with the whole card
    except ValueError:
        wanted = {
            "int": "a whole number",
            "float": "a number",
            "Optional[float]": "a number or null",
            "Optional[Tuple[int, ...]]": "two numbers in brackets, or null",
            "bool": "true or false",
            "Tuple[str, ...]": "texts with commas between them",
        }.get(kind, "an object in JSON")
        raise ModelError(f"{name} should be {wanted}; it is {text!r}.") from None


def with_field(content: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return a card's content with one field set, and its section made if there is none.

    Examples
    --------
    >>> with_field({"name": "mine"}, "output.halo", 16)
    {'name': 'mine', 'output': {'halo': 16}}
    """
    first, _, rest = name.partition(".")
    if not rest:
        return {**content, first: value}
    section = content.get(first, {})
    return {**content, first: with_field(section if isinstance(section, Mapping) else {}, rest, value)}


def field_value(content: Any, name: str) -> Any:
    """Return a field's value in a card's content, None if it is not there."""
    for part in name.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return None
        content = content[part]
    return content


def flattened(content: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Return a card's content as values by dotted names; `provenance` and `scores` stay whole.

    Examples
    --------
    >>> flattened({"name": "mine", "output": {"halo": 16}})
    {'name': 'mine', 'output.halo': 16}
    """
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{place}.{key}".lstrip(".")
        if name in PLACES and isinstance(value, Mapping):
            flat.update(flattened(value, name))
        else:
            flat[name] = value
    return flat
