"""Write docs/label-free.png: a part of a field in phase contrast, its stain with the labels, and both together.

    cpunet labels from-stain STAIN_DIR IMAGE_DIR -o DATASET
    .venv/training/bin/python scripts/write_stain_picture.py DATASET

STAIN_DIR holds dapi.png and IMAGE_DIR one phase-contrast image of the example of google/in-silico-labeling (Apache-2.0;
Christiansen et al., Cell 173, 792, 2018).
"""

import sys
from pathlib import Path

import numpy as np
import PIL.Image

from cpunet.files.images import read_image
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.training.data.labeled_images import read_index, read_labeled_image

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "label-free.png"
PART = slice(570, 960), slice(640, 960)
GAP_PX, COLORS = 6, 96


def main(folder: Path) -> None:
    """Draw the first image of a data set that was made from a stain."""
    row = read_index(folder)[0]
    labeled = read_labeled_image(row)
    # Dim nuclei and bright ones are both seen in the root of the intensity.
    stain = np.sqrt(read_image(folder / "stains" / f"{row.id}.tif"))
    phase, shown = gray_picture(labeled.image), gray_picture(stain)
    panels = [phase, draw_outlines(shown, labeled.labels), draw_outlines(phase, labeled.labels)]
    gap = np.full((PART[0].stop - PART[0].start, GAP_PX, 3), 255, np.uint8)
    parts = [panels[0][PART], gap, panels[1][PART], gap, panels[2][PART]]
    PIL.Image.fromarray(np.hstack(parts)).quantize(COLORS, dither=PIL.Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
