"""Numbers that the environment gives, such as CPUNET_THREADS."""

from __future__ import annotations

import os
from typing import Optional

from cpunet.errors import OptionError


def number_in_environment(variable: str) -> Optional[int]:
    """Return the number in a variable of the environment, 1 or more; None if it is not set or empty.

    Raises OptionError if it is no whole number, or below 1.
    """
    text = os.environ.get(variable, "").strip()
    if text and not (text.isdecimal() and int(text) > 0):
        raise OptionError(f"{variable} is {text!r} in the environment; it must be a whole number from 1 on.")
    return int(text) if text else None
