"""Draw docs/time-lapse.png: the tracks of a drawn time-lapse as taken and aligned, over its last frame.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.time_lapse.picture [--seed 1]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.time_lapse.links import tracks_of, true_links
from benchmarks.time_lapse.run import REPOSITORY, TrackedMovie, tracked_movies
from cpunet.files.overlay import gray_picture
from cpunet.files.written_beside import written_beside

PICTURE, PIPELINE = REPOSITORY / "docs" / "time-lapse.png", REPOSITORY / "docs" / "time-lapse.cppipe"
# Okabe and Ito's sky blue, and orange for what is wrong.
RIGHT, WRONG = "#56B4E9", "#FF8C00"
DOTS_PER_INCH = 90


def tracks_figure(movies: Sequence[TrackedMovie]) -> Figure:
    """Draw each time-lapse beside the other."""
    figure = Figure(figsize=(10.4, 6.1), dpi=DOTS_PER_INCH, constrained_layout=True)
    for axes, movie in zip(figure.subplots(1, len(movies)), movies):
        _draw_tracks(axes, movie)
        score = movie.score()
        axes.set_title(f"{movie.alignment}: {score.right} of {score.true} links right", fontsize=12)
    return figure


def _draw_tracks(axes: Any, movie: TrackedMovie) -> None:
    axes.imshow(gray_picture(movie.frames[-1]) // 2)
    stand_for = tracks_of(movie.labels, movie.objects)
    right = true_links([{*movie.parents, *movie.labels.ravel().tolist()}] * len(movie.frames), movie.parents)
    by_place = {(each.frame, each.number): each for each in movie.objects}
    for each in movie.objects:
        parent = by_place.get((each.parent_frame, each.parent_number))
        if parent is None:
            continue
        link = (
            parent.frame,
            stand_for.get((parent.frame, parent.number), 0),
            stand_for.get((each.frame, each.number), 0),
        )
        good = link in right or movie.parents.get(link[2]) == link[1]
        axes.plot((parent.x, each.x), (parent.y, each.y), color=RIGHT if good else WRONG, linewidth=1.5)
    axes.set_axis_off()
    handles = [Line2D([], [], color=RIGHT, label="right"), Line2D([], [], color=WRONG, label="wrong")]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=2, frameon=False)


def main(arguments: Sequence[str]) -> int:
    """Draw a time-lapse, run the pipeline on it, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        movies = tracked_movies(PIPELINE, [parsed.seed], Path(folder))
    with written_beside(PICTURE) as beside:
        tracks_figure(movies).savefig(beside, format="png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
