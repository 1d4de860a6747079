"""Write docs/time-lapse.cppipe: a pipeline that finds nuclei in aligned frames, tracks them, and writes tables.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python scripts/write_time_lapse_pipeline.py

Run it again whenever the settings of IdentifyObjectsUNet change. The tracking method and its settings were chosen with
`benchmarks/time_lapse`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, List

REPOSITORY = Path(__file__).resolve().parents[1]
TIME_LAPSE = REPOSITORY / "docs" / "time-lapse.cppipe"
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.pipeline_text import make_module, text_of  # noqa: E402

IMAGE, NUCLEI = "DNA", "Nuclei"
# As `cpunet align` names the frames.
FRAME_NAME = r"^(?P<Movie>.+)_t(?P<Time>[0-9]+)\."
OVERLAP = {"tracking_method": "Overlap"}
# For nuclei of 24 pixels that move up to half of their diameter in a frame. Distances are in pixels.
LAP = {
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


def time_lapse_modules(**tracking: Any) -> List[Any]:
    """Make the modules of the pipeline; `tracking` are settings of TrackObjects, `LAP` by default."""
    metadata = make_module("Metadata", wants_metadata=True)
    method = metadata.extraction_methods[0]
    method.file_regexp.value = FRAME_NAME
    groups = make_module("Groups", wants_groups=True)
    groups.grouping_metadata[0].metadata_choice.value = "Movie"
    inputs = [make_module("Images"), metadata, make_module("NamesAndTypes", single_image_provider=IMAGE), groups]
    find = make_module("IdentifyObjectsUNet", x_name=IMAGE, y_name=NUCLEI)
    find.show_window = True
    measure = make_module("MeasureObjectSizeShape", objects_list=NUCLEI)
    track = make_module("TrackObjects", object_name=NUCLEI, **(tracking or LAP))
    track.show_window = True
    export = make_module("ExportToSpreadsheet", wants_prefix=False, add_filepath=True, add_metadata=True)
    return [*inputs, find, measure, track, export]


def main() -> None:
    """Write the file."""
    from cellprofiler_core.preferences import set_headless, set_plugin_directory

    set_headless()
    set_plugin_directory(str(REPOSITORY / "plugins"), globally=False)
    TIME_LAPSE.write_text(text_of(time_lapse_modules()), encoding="utf-8")


if __name__ == "__main__":
    main()
