"""Write a file so that it is complete or does not exist. Needs no packages, as the pieces of a batch have none."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a path in the same folder, and rename it to `path` only if nothing went wrong.

    Where `path` is a link, the file that it leads to is replaced, and the link stays.
    """
    place = Path(os.path.realpath(path))
    # Short, since the result's name may be as long as the system allows; random, since computers may share the folder.
    beside = place.with_name(f".{secrets.token_hex(6)}{place.suffix}")
    try:
        yield beside
        os.replace(beside, place)
    except OSError as error:
        if error.filename == str(beside):
            error.filename = str(path)
            if error.filename2 is not None:
                del error.filename2  # which None would not: the message would end in "-> None"
        raise
    finally:
        if beside.exists():
            beside.unlink()
