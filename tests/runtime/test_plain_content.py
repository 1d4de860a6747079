from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import pytest

from cpunet.errors import ConfigError, ModelError
from cpunet.plain_content import dataclass_from


@dataclass(frozen=True)
class Filter:
    width_px: float
    kind: str = "gaussian"

    def __post_init__(self):
        if not self.width_px > 0:
            raise ValueError(f"width_px: must be larger than 0; it is {self.width_px}.")


@dataclass(frozen=True)
class Recipe:
    name: str
    steps: int
    filters: Tuple[Filter, ...] = ()
    mask: bool = False
    pixel_size_um: Optional[float] = None
    facts: Dict[str, Any] = field(default_factory=dict)


def test_nested_parts_lists_and_defaults():
    content = {"name": "x", "steps": 3, "filters": [{"width_px": 2}, {"width_px": 1.5, "kind": "median"}]}
    found = dataclass_from(Recipe, content, ConfigError)
    assert found == Recipe("x", 3, (Filter(2), Filter(1.5, "median")))
    assert content["filters"] == [{"width_px": 2}, {"width_px": 1.5, "kind": "median"}], "the content is not changed"


def test_numbers_keep_their_type():
    found = dataclass_from(Recipe, {"name": "x", "steps": 3, "pixel_size_um": 1}, ConfigError)
    assert type(found.pixel_size_um) is int


@pytest.mark.parametrize(
    ("change", "message"),
    {
        "missing": ({"name": None}, "^steps is missing.$"),
        "unknown": ({"colour": 1}, "^there is no field 'colour'; the fields are name, steps, filters, mask"),
        "unknown inside": ({"filters": [{"width": 2}]}, "^filters: there is no field 'width'"),
        "text for a number": ({"steps": "3"}, "^steps should be a whole number; it is '3'.$"),
        "fraction": ({"steps": 3.0}, "steps should be a whole number; it is 3.0"),
        "truth for a number": ({"steps": True}, "steps should be a whole number; it is True"),
        "number for a truth": ({"mask": 1}, "mask should be true or false; it is 1"),
        "no list": ({"filters": "all"}, "filters should be a list; it is 'all'"),
        "no mapping": ({"filters": [2]}, "filters should be a mapping of field names to values; it is 2"),
        "no object": ({"facts": []}, r"facts should be an object; it is \[\]"),
        "optional of another type": ({"pixel_size_um": "small"}, "pixel_size_um should be a number; it is 'small'"),
        "the part's own check": ({"filters": [{"width_px": 0}]}, "^filters: width_px: must be larger than 0; it is 0"),
    }.values(),
)
def test_what_cannot_be_is_refused_by_its_dotted_name(change, message):
    content = {**({} if "missing" in message else {"steps": 3}), "name": "x", **change}
    with pytest.raises(ConfigError, match=message):
        dataclass_from(Recipe, content, ConfigError)


def test_the_owner_begins_each_message_and_the_error_is_the_one_asked_for():
    with pytest.raises(ModelError, match=r"^The model card's filters\.width_px should be a number; it is None\.$"):
        dataclass_from(
            Recipe, {"name": "x", "steps": 1, "filters": [{"width_px": None}]}, ModelError, "The model card's "
        )
