"""Draw what a row looks like: the image alone, and with the outlines of truth and prediction."""

from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.stress.table import RowScores
from benchmarks.stress.windows import window_of_nuclei
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.files.written_beside import written_beside

# Okabe and Ito's sky blue and orange, which color-blind people can distinguish.
TRUTH, PREDICTION = (86, 180, 233), (230, 159, 0)
LARGEST_PX = 700


def draw_row(scored: RowScores, folder: Path) -> Path:
    """Write a PNG: left the image, in the middle the truth (blue), right what the first method found (orange).

    A large image is shown by a window of 700 pixels around the middle of its nuclei. The contrast is that of the whole
    image.
    """
    labels = scored.drawn.labels
    window = window_of_nuclei(labels, (LARGEST_PX, LARGEST_PX))
    gray = gray_picture(scored.drawn.image)[window]
    outlined = [draw_outlines(gray, labels[window], TRUTH), draw_outlines(gray, scored.found[window], PREDICTION)]
    path = folder / f"{scored.row.replace(', ', '-').replace(' ', '_')}.png"
    with written_beside(path) as beside:
        PIL.Image.fromarray(np.hstack([gray, *outlined])).save(beside)
    return path
