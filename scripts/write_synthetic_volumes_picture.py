"""Write docs/synthetic-volumes.png: planes of synthetic volumes, and a section along z, with the outlines of labels.

In the training environment, with the set that docs/three-dimensions.md makes:

    PYTHONPATH=. .venv/training/bin/python scripts/write_synthetic_volumes_picture.py data/synthetic_nuclei_3d
"""

import sys
from pathlib import Path

import numpy as np
import PIL.Image

from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.training.data.index import read_table
from cpunet.training.data.labeled_images import row_of
from cpunet.training.volumes.checking.shown_planes import planes_side_by_side
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "synthetic-volumes.png"
# One volume of each arrangement, with planes so far apart that a section is not higher than a plane is wide.
FARTHEST_PX, COLORS = 3.2, 128
GAP = 3


def main(folder: Path) -> None:
    """Draw the first fitting volume of each arrangement below each other."""
    steps = {volume.id: volume.z_step_px for volume in find_labeled_volumes(folder)}
    drawn = {}
    for cells in read_table(folder).rows:
        kind = cells["arrangement"]
        if kind in drawn or steps[cells["id"]] > FARTHEST_PX or int(cells["objects"]) < 5:
            continue
        image, labels, _ = planes_side_by_side(row_of(folder, cells), steps[cells["id"]])
        drawn[kind] = draw_outlines(gray_picture(image), labels)
    rows = [np.pad(drawn[kind], ((0, GAP), (0, 0), (0, 0)), constant_values=255) for kind in sorted(drawn)]
    picture = PIL.Image.fromarray(np.concatenate(rows))
    picture.quantize(COLORS).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {', '.join(sorted(drawn))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
