"""Write docs/nuclei.cppipe and docs/nuclei-3d.cppipe: they find nuclei, measure their size and shape, and write tables.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python scripts/write_ready_pipeline.py

Run it again whenever the settings of IdentifyObjectsUNet change.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
READY, READY_3D = REPOSITORY / "docs" / "nuclei.cppipe", REPOSITORY / "docs" / "nuclei-3d.cppipe"
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.pipeline_text import make_module, text_of  # noqa: E402

IMAGE, NUCLEI = "DNA", "Nuclei"
MODEL_OF_VOLUMES = "nuclei_3d"
Z_SPACING = 2


def ready_pipeline() -> str:
    """Return the text of the pipeline: each file is an image named DNA; all settings of the module are its defaults."""
    return _text_of(make_module("NamesAndTypes", single_image_provider=IMAGE))


def ready_pipeline_of_stacks() -> str:
    """Return the text of the same pipeline for 3-D stacks, with the model of volumes."""
    names = make_module("NamesAndTypes", single_image_provider=IMAGE, process_as_3d=True, z=Z_SPACING)
    return _text_of(names, model_name=MODEL_OF_VOLUMES)


def _text_of(names_and_types: Any, **settings: str) -> str:
    inputs = [make_module("Images"), make_module("Metadata"), names_and_types, make_module("Groups")]
    find = make_module("IdentifyObjectsUNet", x_name=IMAGE, y_name=NUCLEI, **settings)
    find.show_window = True
    measure = make_module("MeasureObjectSizeShape", objects_list=NUCLEI)
    export = make_module("ExportToSpreadsheet", wants_prefix=False, add_filepath=True)
    return text_of([*inputs, find, measure, export])


def main() -> None:
    """Write the files."""
    from cellprofiler_core.preferences import set_headless, set_plugin_directory

    set_headless()
    set_plugin_directory(str(REPOSITORY / "plugins"), globally=False)
    READY.write_text(ready_pipeline(), encoding="utf-8")
    READY_3D.write_text(ready_pipeline_of_stacks(), encoding="utf-8")


if __name__ == "__main__":
    main()
