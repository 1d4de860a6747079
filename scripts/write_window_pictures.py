"""Write the pictures of CellProfiler's window in docs/ from what tests/window/scenario.py photographed.

    PYTHONPATH=FOLDER:plugins xvfb-run -a -s "-screen 0 1400x1000x24" .venv/cellprofiler/bin/python \
        tests/window/scenario.py SHOTS
    .venv/cellprofiler/bin/python scripts/write_window_pictures.py SHOTS

FOLDER holds wxPython. Nothing else should run beside it: two of the pictures show seconds.
"""

import sys
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLORS = 256  # those of small marks as well
# By the name in docs: the photograph, and the part of it that is shown (left, top, right, bottom), or all of it.
PICTURES = {
    "window-add-module": ("add-modules", None),
    "window-settings": ("settings", None),
    "window-advanced-settings": ("settings-all-2", (306, 140, 1280, 930)),
    "window-setting-at-fault": ("setting-at-fault", (0, 26, 1280, 636)),
    "window-check-device": ("check-device", (0, 0, 720, 90)),
    "window-help": ("help", None),
    "window-take-over": ("take-over", (0, 26, 1280, 700)),
    "window-taken-over": ("taken-over-settings", (0, 26, 1280, 920)),
    "window-figure": ("figure-as-it-opens", None),
    "window-progress": ("progress", None),
    "window-analysis": ("analysis", None),
}


def main(shots: Path) -> None:
    """Crop each photograph and reduce its colors."""
    for name, (shot, part) in PICTURES.items():
        with Image.open(shots / f"{shot}.png") as photograph:
            picture = photograph.crop(part) if part else photograph
            picture.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE).save(
                DOCS / f"{name}.png", optimize=True
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
