"""Keep the warnings of a reading package off the terminal."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def without_log(package: str) -> Iterator[None]:
    """Silence a package's logger: what it warns of is refused, or said, by its right name."""
    logger = logging.getLogger(package)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
