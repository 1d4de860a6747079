"""Draw what each model finds in typical validation images and in failures, beside the truth.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.gallery.draw --data data --output docs/gallery
"""

import argparse
import sys
import textwrap
from pathlib import Path
from typing import List, Sequence

import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from skimage.measure import find_contours

from benchmarks.gallery.crops import LETTERS, Crop, choose, found_there, score_set
from benchmarks.markdown import header, row
from cpunet.errors import ModelError
from cpunet.files.overlay import picture
from cpunet.files.written_beside import written_beside
from cpunet.model.find import find_model
from cpunet.model.session import load_model

# The sets, and the kinds of image in them, on which each model is shown.
SHOWN = {
    "nuclei_fluorescence": [("bbbc039", "fluorescence"), ("dsb2018", "fluorescence")],
    "nuclei_generalist": [("dsb2018", kind) for kind in ("fluorescence", "brightfield_grey", "brightfield_colour")],
    "phase_cells": [("phase_cells", "phase_contrast")],
}
TITLES = {"bbbc039": "BBBC039", "dsb2018": "DSB 2018", "phase_cells": "Usiigaci"}
# Okabe and Ito's sky blue and orange, which color-blind people can distinguish.
TRUTH, PREDICTION = "#56B4E9", "#E69F00"
CELL_INCHES, CAPTION_INCHES, MARGIN_INCHES, DPI = 3.2, 0.7, 0.45, 100
EXPLANATION = (
    "Validation images: none was trained on, but the thresholds were chosen on them. F1: of the whole image, at IoU "
    "0.7. Counts are of the crop: merged with a neighbor (M), split (S), missed (?), false: no object there (X), "
    "inexact: found, with another outline, tiny: missed, below a tenth of the usual area (dot)."
)


def draw_crop(axes: Axes, crop: Crop) -> None:
    """Draw a crop with the outlines of truth and prediction, a letter on each mistake, and its caption."""
    scored = crop.scored
    axes.imshow(picture(scored.truth.image[crop.window]), interpolation="bicubic")
    # The dark rim keeps both colors visible on bright ground.
    rim = [withStroke(linewidth=2.2, foreground="black", alpha=0.4)]
    for labels, color, dashes in ((scored.prediction, PREDICTION, "-"), (scored.truth.labels, TRUTH, (0, (2.5, 2)))):
        part = labels[crop.window]
        for number in np.unique(part[part > 0]):
            for line in find_contours(part == number, 0.5):
                axes.plot(line[:, 1], line[:, 0], color=color, lw=1.2, ls=dashes, path_effects=rim)
    for word, y, x in crop.objects:
        shadow = [withStroke(linewidth=2.5, foreground="black")]
        axes.text(x, y, LETTERS.get(word, ""), color="white", ha="center", va="center", size=11, path_effects=shadow)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, part.shape[1] - 0.5), ylim=(part.shape[0] - 0.5, -0.5))
    name = f"{TITLES.get(scored.set, scored.set)}, {scored.kind.replace('_', ' ')}: F1 {scored.f1:.2f}"
    # No line ends between a number and its word.
    counts = found_there(crop).replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
    axes.set_xlabel("\n".join([name, *textwrap.wrap(counts, 52)]), size=9.5)


def draw_gallery(model: str, crops: Sequence[Crop], path: Path) -> None:
    """Write a model's crops as a PNG, typical ones in the upper rows and failures in the lower ones."""
    by_row = {kind: [crop for crop in crops if crop.row == kind] for kind in ("typical", "failure")}
    most = max(len(each) for each in by_row.values())
    columns = most if most <= 4 else 3
    lines = [(kind, each[at : at + columns]) for kind, each in by_row.items() for at in range(0, len(each), columns)]
    step = CELL_INCHES + CAPTION_INCHES
    explained = textwrap.wrap(EXPLANATION, 42 * columns)
    width = columns * (CELL_INCHES + 0.1) + MARGIN_INCHES
    height = len(lines) * step + 1.7 * MARGIN_INCHES + 0.2 + 0.16 * len(explained)
    figure = Figure((width, height), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    for down, (kind, line) in enumerate(lines):
        for across, crop in enumerate(line):
            left, bottom = MARGIN_INCHES + across * (CELL_INCHES + 0.1), height - MARGIN_INCHES * 1.7 - down * step
            place = (left / width, (bottom - CELL_INCHES) / height, CELL_INCHES / width, CELL_INCHES / height)
            axes = figure.add_axes(place)
            draw_crop(axes, crop)
            if across == 0:
                axes.set_ylabel({"typical": "typical", "failure": "failures"}[kind], size=13)
    figure.text(0.5, 1 - 0.2 / height, f"{model}: images it never saw", ha="center", va="center", size=14)
    handles = [Line2D([], [], color=TRUTH, ls="--", label="truth"), Line2D([], [], color=PREDICTION, label="model")]
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1 - 0.3 / height), ncol=2, frameon=False)
    figure.text(0.5, 0.12 / height, "\n".join(explained), ha="center", size=9)
    canvas.draw()
    drawn = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    with written_beside(path) as beside:
        drawn.quantize(256).save(beside, optimize=True)


def main(arguments: Sequence[str]) -> int:
    """Draw a gallery for each available model, and print a table of the crops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds the sets: images/ labels/ index.csv")
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"))
    parser.add_argument("--model", nargs="+", choices=SHOWN, default=list(SHOWN))
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    print(header(["model", "row", "set", "kind", "image", "mean F1", "F1 at 0.7", "window y, x", "there"]))
    for name in options.model:
        try:
            model = load_model(find_model(name))
        except ModelError as error:
            print(f"{name} is skipped: {error}")
            continue
        crops: List[Crop] = []
        for folder, kind in SHOWN[name]:
            crops += choose(score_set(options.data / folder, kind, model))
        draw_gallery(name, crops, options.output / f"{name}.png")
        for crop in crops:
            scored, (y, x) = crop.scored, crop.window
            cells = [name, crop.row, scored.set, scored.kind, scored.truth.id]
            cells += [f"{scored.mean_f1:.3f}", f"{scored.f1:.3f}", f"{y.start}, {x.start}", found_there(crop)]
            print(row(cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
