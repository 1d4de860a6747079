"""Print how many links of docs/time-lapse.cppipe are right on drawn time-lapses, as taken and aligned.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.time_lapse [--seeds 1 2 3 4 5] [--methods]

With --methods, other tracking methods of TrackObjects and other settings are compared. With --times-as-fast, all nuclei
move so many times as far from frame to frame. Returns 1 if fewer than 0.95 of the links are right with alignment.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence

from cellprofiler_core.preferences import set_headless, set_plugin_directory

set_headless()
REPOSITORY = Path(__file__).resolve().parents[2]
set_plugin_directory(str(REPOSITORY / "plugins"), globally=False)

from benchmarks.markdown import header, row
from benchmarks.pipeline_text import text_of
from benchmarks.time_lapse.links import LinkScore, pooled
from benchmarks.time_lapse.run import ALIGNED, AS_TAKEN, TrackedMovie, tracked_movies
from scripts.write_time_lapse_pipeline import TIME_LAPSE, TRACKING, time_lapse_modules

LEAST_RIGHT = 0.95
HEAD = ("method", "frames", "seeds", "links", "right", "of found, right", "divisions", "touching", "at the edge")
# For nuclei of 24 pixels that move up to half of their diameter in a frame. Distances are in pixels.
LAP: Dict[str, Any] = {
    "tracking_method": "LAP",
    "model": "Both",
    "radius_limit": (12, 20),
    "wants_second_phase": True,
    "gap_cost": 40,
    "split_cost": 40,
    "merge_cost": 1,
    "mitosis_cost": 80,
    "mitosis_max_distance": 40,
    "max_gap_score": 20,
    "max_merge_score": 50,
    "max_split_score": 50,
    "max_frame_distance": 2,
}
METHODS: Dict[str, Dict[str, Any]] = {
    "Overlap, as in the pipeline": TRACKING,
    "LAP, search radius 12 to 20 px": LAP,
    "LAP, search radius 2 to 10 px (CellProfiler's default)": {**LAP, "radius_limit": (2, 10)},
    "LAP, search radius 20 to 30 px": {**LAP, "radius_limit": (20, 30)},
    "Distance, to 20 px": {"tracking_method": "Distance", "pixel_radius": 20},
}


def main(arguments: Sequence[str]) -> int:
    """Run the pipeline and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--methods", action="store_true")
    parser.add_argument("--times-as-fast", type=float, default=1.0)
    parsed = parser.parse_args(arguments)
    print(header(HEAD))
    with tempfile.TemporaryDirectory() as folder:
        if parsed.methods:
            for number, (name, tracking) in enumerate(METHODS.items()):
                pipeline = Path(folder) / f"{number}.cppipe"
                pipeline.write_text(text_of(time_lapse_modules(**tracking)), encoding="utf-8")
                movies = _tracked(pipeline, parsed, Path(folder) / str(number))
                for alignment in (AS_TAKEN, ALIGNED):
                    print(_line(name, alignment, len(parsed.seeds), _of(movies, alignment)), flush=True)
            return 0
        movies = _tracked(TIME_LAPSE, parsed, Path(folder) / "images")
    for each in movies:
        print(_line(TIME_LAPSE.name, each.alignment, f"seed {each.seed}", each.score()))
    for alignment in (AS_TAKEN, ALIGNED):
        print(_line(TIME_LAPSE.name, alignment, len(parsed.seeds), _of(movies, alignment)))
    aligned = _of(movies, ALIGNED)
    return 0 if aligned.right >= LEAST_RIGHT * aligned.true else 1


def _tracked(pipeline: Path, parsed: argparse.Namespace, folder: Path) -> List[TrackedMovie]:
    folder.mkdir()
    return tracked_movies(pipeline, parsed.seeds, folder, times_as_fast=parsed.times_as_fast)


def _of(movies: Sequence[TrackedMovie], alignment: str) -> LinkScore:
    return pooled([each.score() for each in movies if each.alignment == alignment])


def _line(method: str, alignment: str, seeds: object, score: LinkScore) -> str:
    return row(
        (
            method,
            alignment,
            seeds,
            score.true,
            f"{score.right / score.true:.3f}",
            f"{score.right / max(1, score.found):.3f}",
            f"{score.right_divisions}/{score.true_divisions}",
            f"{score.right_touching}/{score.true_touching}",
            f"{score.right_at_edge}/{score.true_at_edge}",
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
