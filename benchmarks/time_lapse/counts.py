"""Draw docs/time-lapse-counts.png: what `cpunet count` makes of synthetic labels of wells that grow and that do not.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.time_lapse.counts
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from cpunet.__main__ import main as cpunet
from cpunet.checks.synthetic import synthetic_field
from cpunet.files.written_beside import written_beside

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "time-lapse-counts.png"
HOURS = range(0, 49, 6)
# The nuclei at the beginning, and how many times as many there are after 48 hours.
WELLS = {"B02": (31, 1.1), "B03": (26, 1.0), "C02": (28, 3.0), "C03": (33, 2.6)}
GROUPS = {"B": "drug", "C": "control"}
# A well and a time at which all nuclei are joined into one object.
JOINED = ("C03", 30)


def write_labels(folder: Path) -> None:
    """Write a label image for each well and time, and the table of groups."""
    rng = np.random.default_rng(0)
    for well, (first, times) in WELLS.items():
        for hours in HOURS:
            field = synthetic_field((640, 640), columns=12, diameter_px=26, seed=int(rng.integers(1_000_000))).labels
            count = rng.poisson(first * times ** (hours / HOURS[-1]))
            kept = rng.permutation(np.arange(1, field.max() + 1))[:count]
            labels = np.where(np.isin(field, kept), field, 0)
            if (well, hours) == JOINED:
                labels = labels > 0
            name = f"{well}_{hours // 24:02d}d{hours % 24:02d}h00m_labels.tif"
            tifffile.imwrite(str(folder / name), labels.astype(np.uint16))
    lines = [f"{well},{GROUPS[well[0]]}" for well in WELLS]
    (folder / "plate.csv").write_text("\n".join(["well,group", *lines, ""]), encoding="utf-8")


def main() -> int:
    """Write the labels, count them, and keep the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_labels(folder)
        words = ["count", "--label-images", name, "-o", f"{name}/counts", "--table", f"{name}/plate.csv"]
        code = cpunet(words)
        with written_beside(PICTURE) as beside:
            beside.write_bytes((folder / "counts" / "counts.png").read_bytes())
    return code


if __name__ == "__main__":
    sys.exit(main())
