"""Write docs/time-lapse.cppipe: a pipeline that finds nuclei in aligned frames, tracks them, and writes tables.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python scripts/write_time_lapse_pipeline.py

Run it again whenever the settings of IdentifyObjectsUNet change. The tracking method was chosen with
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
TRACKING = {"tracking_method": "Overlap"}


def time_lapse_modules(**tracking: Any) -> List[Any]:
    """Make the modules of the pipeline; `tracking` are settings of TrackObjects, `TRACKING` by default."""
    metadata = make_module("Metadata", wants_metadata=True)
    method = metadata.extraction_methods[0]
    method.file_regexp.value = FRAME_NAME
    groups = make_module("Groups", wants_groups=True)
    groups.grouping_metadata[0].metadata_choice.value = "Movie"
    inputs = [make_module("Images"), metadata, make_module("NamesAndTypes", single_image_provider=IMAGE), groups]
    find = make_module("IdentifyObjectsUNet", x_name=IMAGE, y_name=NUCLEI)
    find.show_window = True
    measure = make_module("MeasureObjectSizeShape", objects_list=NUCLEI)
    track = make_module("TrackObjects", object_name=NUCLEI, **(tracking or TRACKING))
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
