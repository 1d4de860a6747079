"""The page on which an expert reviews fields: one file, which opens offline."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List, Mapping, NamedTuple, Sequence

from cpunet import __version__
from cpunet.errors import ReportError, ReviewError
from cpunet.files.label_folder import Key
from cpunet.report.html_page import write_page
from cpunet.review.reviewed_fields import ReviewedField, content_of_page, identity_of

# Mail and browsers take pages of this size.
LARGEST_BYTES = 60_000_000
PACKAGE, TEMPLATE = "cpunet.review", "review.html"
EMBEDDED = re.compile(r'<script type="application/json" id="review-data">(.*?)</script>', re.DOTALL)


class Review(NamedTuple):
    """What a page asks for: its identity, and the number of objects found in each image, by set and name."""

    identity: str
    predicted: Mapping[Key, int]


def write_review(path: Path, fields: Sequence[ReviewedField], source: str, objects: str) -> str:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.html``.
    fields : sequence of ReviewedField
        One at least.
    source : str
        What found the objects: a model or a folder, as the expert reads it.
    objects : str
        What the objects are, in the singular: nucleus.

    Returns
    -------
    str
        The review's identity; see `cpunet.review.reviewed_fields.identity_of`.

    Raises
    ------
    ReportError
        If the page would be larger than 60 MB.
    """
    size = sum(len(each.image) + len(each.stain or "") + sum(len(one.path) for one in each.objects) for each in fields)
    if size > LARGEST_BYTES:
        raise ReportError(
            f"{path} would have {size / 1e6:.0f} MB with its {len(fields)} images; a page has at most "
            f"{LARGEST_BYTES / 1e6:.0f}. Draw fewer images with --number, or show smaller parts with --window."
        )
    identity = identity_of(fields)
    sets: List[str] = list(dict.fromkeys(each.set_name for each in fields))
    content = {
        "title": f"{len(fields)} images" if len(sets) > 1 else sets[0],
        "fields": len(fields),
        "sets": sets,
        "source": source,
        "object": objects,
        "article": "an" if objects[:1].lower() in "aeiou" else "a",
        "review": {"id": identity, "cpunet": __version__, "fields": [content_of_page(each) for each in fields]},
    }
    write_page(path, PACKAGE, TEMPLATE, content)
    return identity


def read_review(path: Path) -> Review:
    """Read which images a page shows, with the number of objects that were found in each.

    Raises
    ------
    ReviewError
        If the file is no page of `cpunet review make`.
    """
    try:
        found = EMBEDDED.search(path.read_text(encoding="utf-8"))
        content = json.loads(found[1] if found else "")
        predicted = {(each["set"], each["image"]): len(each["objects"]) for each in content["fields"]}
        return Review(content["id"], predicted)
    except (ValueError, KeyError, TypeError) as error:
        raise ReviewError(
            f"{path}: this is no page of `cpunet review make`. Give the page that was sent out."
        ) from error
