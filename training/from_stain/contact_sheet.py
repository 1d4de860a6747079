"""A page with every image and its stain, and the outlines that the stain gave on both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cpunet.files.images import read_image
from cpunet.report.html_page import photo_uri, write_page
from cpunet.training.checking.outlined import picture_side, small_outlined
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.from_stain.discarded import Discarded

SHEET, STAINS = "contact_sheet.html", "stains"


def write_sheet(folder: Path, discarded: Sequence[Discarded], recipe: str) -> None:
    """Write contact_sheet.html into a data set that has a folder stains/."""
    rows = read_index(folder)
    # Two pictures an image.
    side = picture_side(2 * len(rows))
    shown = []
    for row in rows:
        labeled = read_labeled_image(row)
        stain = read_image(folder / STAINS / f"{row.id}.tif")
        shown.append(
            {
                "name": row.id,
                "what": f"{len(set(labeled.labels.ravel().tolist()) - {0})} nuclei, {row.split}",
                "image": photo_uri(small_outlined(labeled.image, labeled.labels, side)),
                "stain": photo_uri(small_outlined(stain, labeled.labels, side)),
            }
        )
    write_page(
        folder / SHEET, "cpunet.training", "from_stain.html", {"shown": shown, "discarded": discarded, "recipe": recipe}
    )
