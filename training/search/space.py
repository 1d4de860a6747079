"""Which numbers of a configuration are searched, and between which values."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Union, get_type_hints

from cpunet.errors import ConfigError
from cpunet.training.config import SEARCH, TrainingConfig, config_from_dict

Value = Union[int, float, str, bool]
SCALES = ("linear", "log")
# What says how long and on what a trial runs, and so is the same in all of them.
FIXED = ("seed", "steps", "validate_every", "validation_images", "early_stopping_patience", "devices", "workers")
# What changes nothing that is learned.
DESCRIBING = ("name", "version", "description", "licence", "citation", "modality")
# Of a range of whole numbers, so many are tried before the search: not each must be one that a configuration takes.
MOST_TRIED = 500
WAY_OUT = "Give `low` and `high`, and `scale: log` where sizes matter more than differences; or `choices`."


@dataclass(frozen=True)
class SearchedNumber:
    """One number of a configuration that is searched.

    Attributes
    ----------
    name : str
        Its field, such as ``learning_rate`` or ``loss.dice``.
    low, high : float
        Between which values; 0 where there are choices.
    is_log : bool
        Whether values are drawn evenly on a logarithmic scale, where 0.001 to 0.01 is as likely as 0.01 to 0.1.
    is_whole : bool
    choices : tuple
        The values to choose from, instead of a range; empty if there is a range.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    is_whole: bool = False
    choices: tuple[Value, ...] = ()


def with_values(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a configuration with other values; names are dotted, such as ``loss.dice``.

    >>> with_values({"augmentation": "heavy"}, {"augmentation.noise": 0.1})
    {'augmentation': {'preset': 'heavy', 'noise': 0.1}}
    """
    changed = copy.deepcopy(dict(content))
    for name, value in values.items():
        *sections, field = name.split(".")
        place = changed
        for section in sections:
            inner = place.get(section) or {}
            place[section] = {"preset": inner} if isinstance(inner, str) else inner
            place = place[section]
        place[field] = value
    return changed


def read_space(content: Mapping[str, Any]) -> list[SearchedNumber]:
    """Read the section ``search`` of a configuration's content; without it, some numbers that matter in most trainings.

    Raises
    ------
    ConfigError
        If a name is no number of a configuration, a range is none, or the configuration refuses one of its ends.
    """
    config = config_from_dict(content)
    section = content.get(SEARCH)
    if section is None:
        return [number for number in _usual(config) if not _refusal(content, number)]
    if not isinstance(section, Mapping) or not section:
        raise ConfigError(f"{SEARCH}: this must name numbers, such as `learning_rate: {{low: 0.0003, high: 0.03}}`.")
    space = [_number(config, str(name), given) for name, given in section.items()]
    for number in space:
        refusal = _refusal(content, number)
        if refusal:
            raise ConfigError(f"{SEARCH}: {number.name}: {refusal}")
    return space


def _usual(config: TrainingConfig) -> list[SearchedNumber]:
    rate = config.learning_rate
    return [
        SearchedNumber("learning_rate", rate / 10, rate * 10, is_log=True),
        SearchedNumber("weight_decay", 1e-6, 1e-2, is_log=True),
        SearchedNumber("loss.dice", 0.0, 1.0),
    ]


def _number(config: TrainingConfig, name: str, given: object) -> SearchedNumber:
    kind = _kind_of(config, name)
    keys = set(given) if isinstance(given, Mapping) else set()
    if not isinstance(given, Mapping) or keys not in ({"choices"}, {"low", "high"}, {"low", "high", "scale"}):
        raise ConfigError(f"{SEARCH}: {name}: this is {given!r}. {WAY_OUT}")
    if "choices" in given:
        choices = given["choices"]
        if (
            not isinstance(choices, list)
            or len(choices) < 2
            or not all(isinstance(each, (int, float, str)) for each in choices)
        ):
            raise ConfigError(f"{SEARCH}: {name}: choices must be a list of two values or more; it is {choices!r}.")
        return SearchedNumber(name, choices=tuple(choices))
    if kind not in (int, float):
        raise ConfigError(f"{SEARCH}: {name}: this is no number, so it has no range. Give `choices` to choose from.")
    low, high, scale = given["low"], given["high"], given.get("scale", SCALES[0])
    for word, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind is int and value % 1):
            what = "a whole number" if kind is int else "a number"
            raise ConfigError(f"{SEARCH}: {name}: {word} must be {what}; it is {value!r}.")
        if not math.isfinite(value):
            raise ConfigError(f"{SEARCH}: {name}: {word} must be finite; it is {value}. Give the end of a range.")
    if not low < high:
        raise ConfigError(f"{SEARCH}: {name}: low must be less than high; they are {low:g} and {high:g}.")
    if scale not in SCALES:
        raise ConfigError(f"{SEARCH}: {name}: scale must be one of {', '.join(SCALES)}; it is {scale!r}.")
    if scale == "log" and not low > 0:
        raise ConfigError(
            f"{SEARCH}: {name}: on a logarithmic scale low must be more than 0; it is {low:g}. Give a higher one, or "
            "`scale: linear`."
        )
    return SearchedNumber(name, float(low), float(high), scale == "log", kind is int)


def _kind_of(config: TrainingConfig, name: str) -> object:
    """Return the type of a configuration's field; ConfigError if there is none, or it is not to be searched."""
    if name in FIXED:
        raise ConfigError(
            f"{SEARCH}: {name}: this is the same in all trials, or they could not be compared. Leave it out; --steps "
            "says how long a trial is."
        )
    if name in DESCRIBING:
        raise ConfigError(f"{SEARCH}: {name}: this only describes the model and changes no score. Leave it out.")
    *sections, field = name.split(".")
    place: Any = config
    for section in sections:
        place = getattr(place, section, None)
    if not is_dataclass(place) or field not in [each.name for each in fields(place)]:
        there = [each.name for each in fields(place)] if is_dataclass(place) else []
        hint = f" There are {', '.join(there)}." if sections and there else ""
        raise ConfigError(f"{SEARCH}: {name}: a configuration has no such field.{hint}")
    kind = get_type_hints(type(place))[field]
    if kind not in (int, float, str, bool):
        raise ConfigError(f"{SEARCH}: {name}: this is no single value. Name one field, such as loss.dice.")
    return kind


def _refusal(content: Mapping[str, Any], number: SearchedNumber) -> str:
    """Return why a configuration refuses a value of a number; an empty text if it takes all that are tried."""
    for value in _values_to_try(number):
        try:
            config_from_dict(with_values(content, {number.name: value}))
        except ValueError as error:
            way_out = "" if number.choices or value in (number.low, number.high) else " Give `choices` that can be."
            return f"{value!r} cannot be: {error}{way_out}"
    return ""


def _values_to_try(number: SearchedNumber) -> Sequence[Value]:
    """Return the choices, the ends of a range or, of whole numbers, evenly many from one end to the other."""
    if number.choices:
        return number.choices
    if not number.is_whole:
        return (number.low, number.high)
    low, high = int(number.low), int(number.high)
    return sorted({*range(low, high + 1, -(-(high - low) // MOST_TRIED)), high})
