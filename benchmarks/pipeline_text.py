"""Edit the text of CellProfiler pipelines: put IdentifyObjectsUNet where IdentifyPrimaryObjects stands.

CellProfiler itself reads and writes the text. Whoever uses this decides before whether CellProfiler is headless.
"""

import io
from pathlib import Path
from typing import Any, List

import cellprofiler
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.utilities.core.modules import instantiate_module

PRIMARY, UNET = "IdentifyPrimaryObjects", "IdentifyObjectsUNet"


def example_folder() -> Path:
    """Return the folder of ExampleFly inside the installed cellprofiler package."""
    return Path(cellprofiler.__file__).parent / "data" / "examples" / "ExampleFly"


def make_module(name: str, **values: object) -> Any:
    """Make a module with these values of its settings, by the names that they have in its code."""
    import cellprofiler_core.modules  # noqa: F401  finds all modules, those of the plugins directory too

    module = instantiate_module(name)
    for setting, value in values.items():
        getattr(module, setting).value = value
    module.show_window = False
    return module


def read_pipeline(text: str) -> Pipeline:
    """Read a .cppipe text."""
    import cellprofiler_core.modules  # noqa: F401

    pipeline = Pipeline()
    pipeline.load(io.StringIO(text))
    return pipeline


def text_of(modules: List[Any]) -> str:
    """Write modules as a .cppipe text, numbered in their order."""
    pipeline = Pipeline()
    for number, module in enumerate(modules, start=1):
        module.set_module_num(number)
        pipeline.add_module(module)
    stream = io.StringIO()
    pipeline.dump(stream)
    return stream.getvalue()


def replace_primary_objects(text: str) -> str:
    """Put IdentifyObjectsUNet in the place of each IdentifyPrimaryObjects, with its names, diameter range and filters.

    All other settings of IdentifyObjectsUNet have their defaults, and all other modules keep theirs. Raises ValueError
    if the pipeline has no IdentifyPrimaryObjects.
    """
    before = read_pipeline(text).modules()
    after = [_in_place_of(module) if module.module_name == PRIMARY else module for module in before]
    if after == before:
        raise ValueError(f"The pipeline has no module {PRIMARY}.")
    return text_of(after)


def _in_place_of(primary: Any) -> Any:
    kept = ("x_name", "y_name", "size_range", "exclude_size", "exclude_border_objects")
    module = make_module(UNET, **{name: getattr(primary, name).value for name in kept})
    module.show_window = True
    return module


def save_nuclei(text: str) -> str:
    """Append modules that save each field's nuclei as labels, and the image in which they were found, as TIFF."""
    to_labels = make_module(
        "ConvertObjectsToImage", object_name="Nuclei", image_name="NucleiLabels", image_mode="uint16"
    )
    saved = [
        make_module(
            "SaveImages",
            image_name=image,
            file_image_name="OrigBlue",
            wants_file_name_suffix=True,
            file_name_suffix=suffix,
            file_format="tiff",
            pathname="Default Output Folder|",
            bit_depth="16-bit integer",
            overwrite=True,
        )
        for image, suffix in (("NucleiLabels", "_labels"), ("CropBlue", "_image"))
    ]
    return text_of([*read_pipeline(text).modules(), to_labels, *saved])
