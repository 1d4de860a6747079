"""Write docs/nuclei.cppipe: a pipeline that finds nuclei, measures their size and shape, and writes tables.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python scripts/write_ready_pipeline.py

Run it again whenever the settings of IdentifyObjectsUNet change.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
READY = REPOSITORY / "docs" / "nuclei.cppipe"
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.pipeline_text import make_module, text_of  # noqa: E402

IMAGE, NUCLEI = "DNA", "Nuclei"


def ready_pipeline() -> str:
    """Return the text of the pipeline: each file is an image named DNA; all settings of the module are its defaults."""
    inputs = [
        make_module("Images"),
        make_module("Metadata"),
        make_module("NamesAndTypes", single_image_provider=IMAGE),
        make_module("Groups"),
    ]
    find = make_module("IdentifyObjectsUNet", x_name=IMAGE, y_name=NUCLEI)
    find.show_window = True
    measure = make_module("MeasureObjectSizeShape", objects_list=NUCLEI)
    export = make_module("ExportToSpreadsheet", wants_prefix=False, add_filepath=True)
    return text_of([*inputs, find, measure, export])


def main() -> None:
    """Write the file."""
    from cellprofiler_core.preferences import set_headless, set_plugin_directory

    set_headless()
    set_plugin_directory(str(REPOSITORY / "plugins"), globally=False)
    READY.write_text(ready_pipeline(), encoding="utf-8")


if __name__ == "__main__":
    main()
