"""Fields for a review, and files as experts save them."""

import hashlib

import numpy as np
import tifffile

from cpunet.review.fields import Field
from cpunet.review.reviewed_fields import reviewed_field
from tests.boxes import FIRST, SECOND, THIRD, boxes

IDENTITY = hashlib.sha256(b"a review").hexdigest()
HEADER = "expert,set,image,predicted,false_count,missed_count,false_objects,missed_at,seconds,review"


def write_field(folder, name, labels, stain=None):
    """Write an image, its labels and a stain into images/, labels/ and stain/ of a folder."""
    image = (labels > 0) * 200 + np.random.default_rng(0).integers(0, 20, labels.shape)
    for kind, pixels in (("images", image), ("labels", labels), ("stain", stain)):
        if pixels is not None:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(str(folder / kind / f"{name}.tif"), pixels.astype(np.uint16))


def write_set(folder, count=3):
    """Write fields named 1, 2, ... with three objects each into a folder."""
    for number in range(1, count + 1):
        write_field(folder, str(number), boxes(FIRST, SECOND, THIRD), boxes(FIRST))
    return folder


def reviewed(folder, name, window_px=1024, seed=1, stain=False):
    """Prepare a field that `write_field` wrote."""
    paths = [folder / kind / f"{name}.tif" for kind in ("images", "labels", "stain")]
    return reviewed_field(Field(folder.name, name, *paths[: 3 if stain else 2]), None, window_px, seed)


def line(image, false="", missed="", expert="Anna", predicted=10, objects="", points="", review=IDENTITY, set_name="s"):
    return f"{expert},{set_name},{image},{predicted},{false},{missed},{objects},{points},7,{review}"


def write_saved(path, *lines, header=HEADER):
    path.write_text("\r\n".join((header, *lines, "")), encoding="utf-8")
    return path
