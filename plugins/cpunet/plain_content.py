"""Build frozen dataclasses from plain JSON or YAML content; used for model cards and training configurations."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Dict, Type, TypeVar, Union, get_args, get_origin, get_type_hints

from cpunet.errors import CpunetError

Kind = TypeVar("Kind")

# The words of the messages. A field of the type float takes whole numbers as well.
_WORDS: Dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
}


def dataclass_from(
    kind: Type[Kind], content: object, error: Type[CpunetError], owner: str = "", place: str = ""
) -> Kind:
    """Build a frozen dataclass from plain content, and check the type of each field by its annotation.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are int, float, str, bool, Optional, Tuple, Dict, or dataclasses themselves.
    content : object
        A mapping of field names to values. A field that is left out keeps its default.
    error : type
        The error to raise.
    owner : str
        Begins each message, such as ``The model card's ``.
    place : str
        Dotted name of this part inside the whole content.

    Returns
    -------
    object of type `kind`
        Lists become tuples. Numbers keep their type, so that they are written again with the same digits.

    Raises
    ------
    CpunetError
        Of the kind `error`, if the content is not a mapping, or a field is unknown, missing or out of its range.

    Examples
    --------
    >>> from cpunet.errors import ConfigError
    >>> from cpunet.model.card import Normalization
    >>> dataclass_from(Normalization, {"percentile_low": 0.5}, ConfigError).percentile_low
    0.5
    >>> dataclass_from(Normalization, {"percentile_low": "dark"}, ConfigError)
    Traceback (most recent call last):
        ...
    cpunet.errors.ConfigError: percentile_low should be a number; it is 'dark'.
    """
    if not isinstance(content, dict):
        raise error(f"{owner}{place} should be a mapping of field names to values; it is {content!r}.")
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    dotted = {name: f"{place}.{name}" if place else str(name) for name in {*known, *content}}
    begin = f"{owner}{place}: " if place else owner
    unknown = [name for name in content if name not in known]
    if unknown:
        raise error(f"{begin}there is no field {unknown[0]!r}; the fields are {', '.join(known)}.")
    for name, each in known.items():
        if name not in content and each.default is MISSING and each.default_factory is MISSING:
            raise error(f"{owner}{dotted[name]} is missing.")
    types = get_type_hints(kind)
    values = {name: _checked(types[name], value, error, owner, dotted[name]) for name, value in content.items()}
    try:
        return kind(**values)
    except error:
        raise
    except ValueError as fault:
        raise error(f"{begin}{fault}") from None


def _checked(kind: Any, value: object, error: Type[CpunetError], owner: str, dotted: str) -> object:
    """Return a field's value if its type is the annotated one."""
    if is_dataclass(kind):
        return dataclass_from(kind, value, error, owner, dotted)  # type: ignore[arg-type]
    origin, inside = get_origin(kind) or kind, get_args(kind)
    if origin is Union or type(None) in inside:  # Optional[...] or ... | None
        return None if value is None else _checked(inside[0], value, error, owner, dotted)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise error(f"{owner}{dotted} should be a list; it is {value!r}.")
        return tuple(_checked(inside[0], each, error, owner, dotted) for each in value)
    wanted = (int, float) if origin is float else origin
    if not isinstance(value, wanted) or (isinstance(value, bool) and origin is not bool):
        raise error(f"{owner}{dotted} should be {_WORDS[origin]}; it is {value!r}.")
    return value
