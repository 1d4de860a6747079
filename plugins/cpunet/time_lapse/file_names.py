"""What the name of an image file says: the well, the group, the time, and the series that it belongs to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Match, NamedTuple, Optional, Pattern, Sequence

from cpunet.errors import OptionError
from cpunet.files.find import IMAGE_SUFFIXES

GROUPS = ("well", "group", "time", "days", "hours", "minutes")
# A word of a name begins and ends at one of these, or at the end of the name.
BEGIN, END = r"(?:(?<=[_\-. ])|^)", r"(?=[_\-. ]|$)"
# Rows A to P and columns 1 to 24 of a plate with 384 wells.
WELL = re.compile(BEGIN + r"(?P<well>[A-P](?:0?[1-9]|1[0-9]|2[0-4]))" + END)
# As IncuCyte writes it, such as 01d06h30m.
CLOCK = re.compile(BEGIN + r"(?P<days>[0-9]+)d(?P<hours>[0-9]+)h(?:(?P<minutes>[0-9]+)m)?" + END)
FRAME = re.compile(BEGIN + r"(?:t|tp|time|frame)[_\-]?(?P<time>[0-9]+)" + END, re.IGNORECASE)
TIME_WORD = re.compile(BEGIN + r"(?:t|tp|time|frame)[_\-]?$", re.IGNORECASE)
SUFFIX = re.compile(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})$", re.IGNORECASE)
OME = re.compile(r"\.ome$", re.IGNORECASE)
WAY_OUT = (
    "It needs at least one of the groups (?P<well>...), (?P<group>...), (?P<time>...), or (?P<days>...), "
    "(?P<hours>...) and (?P<minutes>...), such as '(?P<well>[A-H][0-9]+)_(?P<time>[0-9]+)$'"
)


class NameFacts(NamedTuple):
    """What a name says.

    Attributes
    ----------
    series : str
        The name without its time: that of all frames of one time-lapse.
    well, group : str
        Empty where the name does not say.
    time : float or None
        Hours if `in_hours`, else the number of the frame.
    in_hours : bool
    """

    series: str
    well: str
    group: str
    time: Optional[float]
    in_hours: bool


def pattern_of(text: str) -> Pattern[str]:
    """Compile the regular expression of a user; OptionError if it is none, or has none of the named groups."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise OptionError(f"--names {text!r}: this is no regular expression: {error}. {WAY_OUT}.") from error
    if not set(pattern.groupindex) & set(GROUPS):
        raise OptionError(f"--names {text!r}: this finds nothing that is used. {WAY_OUT}.")
    return pattern


def facts_of_name(path: Path, pattern: Optional[Pattern[str]] = None) -> NameFacts:
    """Return what the name of an image file says.

    Parameters
    ----------
    path : Path
        Its `bare_name` counts.
    pattern : Pattern, optional
        Of the user, from `pattern_of`. By default a well such as B03, and a time such as t012 or 01d06h30m, each a word
        between ``_``, ``-``, ``.``, spaces and the ends of the name. A word that could be a well or a time is taken for
        the first.

    Raises
    ------
    OptionError
        If the pattern does not match, or finds a time that is no number.

    Examples
    --------
    >>> facts_of_name(Path("VID7_B3_1_01d06h30m.tif"))
    NameFacts(series='VID7_B3_1', well='B3', group='', time=30.5, in_hours=True)
    """
    stem = bare_name(path.name)
    if pattern is None:
        found = [each for each in (WELL.search(stem), CLOCK.search(stem) or FRAME.search(stem)) if each]
    else:
        match = pattern.search(stem)
        if match is None:
            raise OptionError(f"{path}: its name does not match --names {pattern.pattern!r}.")
        found = [match]
    words = {key: value for each in found for key, value in each.groupdict().items() if value is not None}
    in_hours = any(key in words for key in ("days", "hours", "minutes"))
    try:
        time = float(words["time"].replace(",", ".")) if "time" in words else None
        if in_hours:
            time = float(words.get("days", 0)) * 24 + float(words.get("hours", 0)) + float(words.get("minutes", 0)) / 60
    except ValueError as error:
        raise OptionError(f"{path}: the time that --names finds in its name is no number ({error}).") from error
    return NameFacts(_without_time(stem, found), words.get("well", ""), words.get("group", ""), time, in_hours)


def bare_name(name: str) -> str:
    """Return a file's name without its suffix, ``.ome`` and ``_labels``.

    >>> bare_name("B03_t1.ome_labels.tif"), bare_name("B03_t1")
    ('B03_t1', 'B03_t1')
    """
    name = SUFFIX.sub("", name)
    return OME.sub("", name[: -len("_labels")] if name.endswith("_labels") else name)


def _without_time(stem: str, found: Sequence[Match[str]]) -> str:
    spans = [
        each.span(0 if each.re in (CLOCK, FRAME) else name)
        for each in found
        for name in ("time", "days", "hours", "minutes")
        if name in each.re.groupindex and each.group(name) is not None
    ]
    if not spans:
        return stem
    begin, end = min(first for first, _ in spans), max(last for _, last in spans)
    before, after = TIME_WORD.sub("", stem[:begin]).rstrip("_-. "), stem[end:].lstrip("_-. ")
    return "_".join(part for part in (before, after) if part)
