"""Read a JSON file of outlines, whatever it holds and however large it is."""

from __future__ import annotations

import json
from pathlib import Path

from cpunet.errors import LabelFileError
from cpunet.files.formats.memory_at_hand import bytes_at_hand
from cpunet.training.importing.formats.quoted import quoted, reason_of

# Measured on files of polygons: the numbers and lists that Python makes take so many times the bytes of the text.
MEMORY_PER_BYTE = 10
SHOWN_KEYS = 5


def read_json(path: Path) -> object:
    """Return what a JSON file holds.

    Raises
    ------
    LabelFileError
        If it is no JSON, is cut short, or needs more memory than is at hand.
    """
    size = path.stat().st_size
    free = bytes_at_hand()
    if free is not None and MEMORY_PER_BYTE * size > free:
        raise LabelFileError(
            f"{path}: this file of {size / 1e6:.0f} MB needs about {MEMORY_PER_BYTE * size / 1e9:.1f} GB of memory, "
            f"and {free / 1e9:.1f} GB are free. Export the objects of each image into a file of its own."
        )
    try:
        return json.loads(path.read_bytes())
    except MemoryError as error:
        raise LabelFileError(f"{path}: the memory is too small for this file of {size / 1e6:.0f} MB.") from error
    except RecursionError as error:
        raise LabelFileError(f"{path}: this is no file of outlines: its lists lie too deep in each other.") from error
    except ValueError as error:
        raise LabelFileError(
            f"{path}: this is no JSON, or is cut short ({reason_of(error)}). Export or copy it again."
        ) from error


def kind_of_json(content: object) -> str:
    """Say what a JSON file is that is not understood."""
    if isinstance(content, dict):
        if "shapes" in content and "imagePath" in content:
            return "LabelMe's JSON, which is not read; convert it to COCO, as with the program labelme2coco"
        if "images" in content and "annotations" in content:
            return "a COCO file, which holds the labels of many images; give it as --labels FILE.json"
        keys = quoted(", ".join(map(str, list(content)[:SHOWN_KEYS]))) or "nothing"
        return f"JSON of another kind (it holds {keys}); GeoJSON of QuPath and COCO are read"
    what = f"a list of {len(content)}" if isinstance(content, list) else f"{type(content).__name__}"
    return f"JSON of another kind ({what}); GeoJSON of QuPath and COCO are read"
