"""Train networks of boundaries alone, of several widths, with and without augmentation, and decode them in two ways.

In the training environment; eight trainings of 4000 steps:

    .venv/training/bin/python -m benchmarks.boundary_width --data DATA

Trained on half of BBBC039's training images and on a quarter of the fluorescence of DSB 2018's. A tenth of these is
left out, of which four a set tune the settings of each decoding. Scored on half of the validation images of both, which
are used for nothing else. A row that was stopped goes on where it was, and a finished row is only printed.

RMSprop at a constant rate of 0.0001 and widths of 2 to 8 pixels: Caicedo et al. 2019, doi:10.1002/cyto.a.23863. 4000
steps of 8 patches are what the time allows with 8 features at the finest level. That is at full resolution, since half
of it has no room for a boundary of 2 pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.boundary_width.picture import draw_fields
from benchmarks.boundary_width.rows import row_of
from benchmarks.boundary_width.table import table
from benchmarks.data_set_with_labels import write_data_set
from cpunet.files.written_beside import written_beside
from cpunet.training.data.labeled_images import IndexRow, read_index
from cpunet.training.quiet import quiet_libraries

HERE = Path(__file__).parent
SETS = ("bbbc039", "dsb2018")
MODALITY = "fluorescence"
# Of the training images of a set, each of so many teaches; of the validation images, each of so many is scored.
TAUGHT_EVERY = {"bbbc039": 2, "dsb2018": 4}
SCORED_EVERY = {"bbbc039": 2, "dsb2018": 2}
# Of the images that are left out of a set for that, so many tune the settings of each decoding.
TUNED_ON = 4


def main(arguments: Sequence[str]) -> int:
    """Train and score what is not done yet; print the table and draw the pictures."""
    parser = argparse.ArgumentParser(prog="benchmarks.boundary_width", description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", type=Path, metavar="CONFIG.yaml", help="rows; all by default")
    parser.add_argument("--data", required=True, type=Path, metavar="ROOT", help="holds bbbc039 and dsb2018")
    parser.add_argument("--steps", type=int, help="of each training, in place of those of the file, for a short trial")
    parser.add_argument("--folder", type=Path, default=Path("runs/boundary_width"), metavar="DIR", help="what is made")
    options = parser.parse_args(arguments)
    configs = options.configs or sorted(HERE.glob("*.yaml"))
    data = options.folder / "data"
    for name in SETS:
        write_data_set(images_of(options.data / name, "train")[:: TAUGHT_EVERY[name]], data / name)
    tune_on = [[row for row in read_index(data / name) if row.split == "val"][:TUNED_ON] for name in SETS]
    scored = {name: images_of(options.data / name, "val")[:: SCORED_EVERY[name]] for name in SETS}
    results = {config.stem: options.folder / "results" / f"{config.stem}.json" for config in configs}
    for config in configs:
        result = results[config.stem]
        if not result.exists():
            with quiet_libraries():
                found = row_of(config, data, options.folder / config.stem, scored, tune_on, options.steps)
            result.parent.mkdir(parents=True, exist_ok=True)
            with written_beside(result) as beside:
                beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in results.items()}
    print(table(found))
    # width_2_plain and so on: a picture of those without augmentation, and one of those with it.
    for kind in sorted({name.split("_")[-1] for name in found}):
        models = {name: options.folder / name / "model.onnx" for name in found if name.endswith(kind)}
        draw_fields(models, found, scored, options.folder / f"boundary_width_{kind}.png")
    return 0


def images_of(folder: Path, split: str) -> list[IndexRow]:
    """Return the fluorescence images of a split, without those that are in another set too."""
    rows = [row for row in read_index(folder) if row.split == split and row.modality == MODALITY]
    return [row for row in rows if not row.duplicate_of]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
