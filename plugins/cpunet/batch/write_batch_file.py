"""Have CellProfiler find the image sets of a pipeline, and write them into a batch file for the pieces.

This file is run by the Python that has CellProfiler, by its path, and imports nothing of cpunet. CellProfiler's own
module CreateBatchFiles writes the file.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any, Dict, List

# They write their tables into one folder, which is a piece's own only where it is the default output folder.
TABLE_MODULES = ("ExportToSpreadsheet", "ExportToDatabase")
# At the end they compute from all image sets of a run, which no piece has.
OF_ALL_IMAGE_SETS = ("CalculateStatistics",)


class PlanError(Exception):
    """A pipeline that cannot be run in pieces; the message says why, and the way out."""


def write_batch_file(pipeline_path: str, images: str, image_list: str, folder: str, plugins: str) -> Dict[str, Any]:
    """Write Batch_data.h5 and empty databases.

    Parameters
    ----------
    pipeline_path : str
        A .cppipe or .cpproj file.
    images : str
        The folder that becomes the default input folder.
    image_list : str
        A text file with a path a line.
    folder : str
        An empty one; Batch_data.h5 and output/ are written into it.
    plugins : str
        The folder with the module IdentifyObjectsUNet.

    Returns
    -------
    dict
        The number of the group of each image set, in the order of the image sets; the modules for which groups must
        stay whole; and the pipeline's text as a run records it.

    Raises
    ------
    PlanError
        If the pipeline cannot be loaded or run in pieces, or CellProfiler finds no image sets.
    """
    from cellprofiler_core.measurement import Measurements
    from cellprofiler_core.preferences import (
        set_default_image_directory,
        set_default_output_directory,
        set_headless,
        set_image_set_file,
        set_plugin_directory,
    )
    from cellprofiler_core.utilities.java import start_java, stop_java

    set_headless()
    set_plugin_directory(plugins, globally=False)
    output = os.path.join(folder, "output")
    os.makedirs(output)
    set_default_output_directory(output)
    set_default_image_directory(images)
    set_image_set_file(image_list)
    start_java()
    try:
        pipeline, problems = _load(pipeline_path)
        check_pipeline(pipeline)
        text = _text_of(pipeline)
        _end_with_batch_file(pipeline, folder)
        pipeline.read_file_list(image_list)
        pipeline.run()
        path = os.path.join(folder, "Batch_data.h5")
        if not os.path.exists(path):
            raise PlanError(" ".join(problems) or "CellProfiler wrote no batch file; its log above says why.")
        measurements = Measurements(filename=path, mode="a")
        try:
            groups = _sort_by_groups(measurements)
        finally:
            measurements.close()
        _store_in_order(path)
        whole = [each.module_name for each in pipeline.modules() if each.is_aggregation_module()]
        return {"groups": groups, "whole_groups_for": whole, "pipeline_text": text}
    finally:
        stop_java()


def _sort_by_groups(measurements: Any) -> List[int]:
    """Put the image sets of a batch file in the order of their groups, as a run does after its last module.

    Returns
    -------
    list of int
        The number of the group of each image set; 1 for all where the pipeline has no groups.

    Notes
    -----
    As in ``Pipeline.prepare_run`` of CellProfiler 4, which CreateBatchFiles ends early. The numbers themselves are not
    written, unless the module Groups did it: where there are no groups, each piece is one for itself. Modules such as
    Crop make at the first image set of a group what they use for all others.
    """
    import numpy

    numbers = measurements.get_image_numbers()
    if measurements.has_feature("Image", "Group_Number"):
        return [int(each) for each in measurements["Image", "Group_Number", numbers]]
    tags = measurements.get_grouping_tags_only()
    groups = numpy.ones(len(numbers), int)
    for group, (_, members) in enumerate(measurements.get_groupings(tags) if tags else (), start=1):
        groups[numpy.isin(numbers, members)] = group
    order = numpy.argsort(groups, kind="stable")
    if numpy.any(order[1:] != order[:-1] + 1):
        renumbered = numpy.zeros(max(numbers) + 1, int)
        renumbered[numbers[order]] = numpy.arange(1, len(numbers) + 1)
        measurements.reorder_image_measurements(renumbered)
        measurements.flush()
    return [int(each) for each in groups[order]]


def _store_in_order(path: str) -> None:
    """Store what a batch file has of its image sets in the order of the image sets, one behind the other.

    Where the values of a range lie scattered, as they do after their order was changed, CellProfiler 4.2.8 copies the
    bytes of texts, such as the address of an image, as texts that begin with ``b'``.
    """
    import h5py
    import numpy

    with h5py.File(path, "r+") as file:
        for run in file["Measurements"].values():
            for feature in run["Image"].values():
                if "index" not in feature or "data" not in feature or not len(feature["index"]):
                    continue
                index = feature["index"][:]  # an image number, and where its values begin and end
                numbers, starts, stops = index[numpy.argsort(index[:, 0], kind="stable")].T
                lengths = stops - starts
                ends = numpy.cumsum(lengths)
                values = feature["data"][:][numpy.arange(ends[-1]) + numpy.repeat(starts - (ends - lengths), lengths)]
                feature["data"].resize(values.shape)
                feature["data"][:] = values
                feature["index"][:] = numpy.stack([numbers, ends - lengths, ends], axis=1)


def _load(path: str) -> Any:
    """Return the pipeline, and a list that gathers what CellProfiler finds wrong."""
    import io

    import cellprofiler_core.modules  # noqa: F401  finds all modules, those of the plugins folder too
    import h5py
    from cellprofiler_core.pipeline import Pipeline
    from cellprofiler_core.pipeline.event import LoadException, PrepareRunError, PrepareRunException
    from cellprofiler_core.utilities.measurement import load_measurements

    problems: List[str] = []
    not_loaded: List[str] = []

    def listen(_: Any, event: Any) -> None:
        if isinstance(event, LoadException):
            not_loaded.append(f"{event.module_name}: {event.error}")
            event.cancel_run = False
        elif isinstance(event, PrepareRunError):
            problems.append(str(event.message))
        elif isinstance(event, PrepareRunException):
            problems.append(f"{event.module.module_name}: {event.error}")

    pipeline = Pipeline()
    pipeline.add_listener(listen)
    if h5py.is_hdf5(path):
        measurements = load_measurements(path)
        pipeline.load(io.StringIO(measurements.get_experiment_measurement("Pipeline_Pipeline")))
        measurements.close()
        pipeline.clear_urls(add_undo=False)
    else:
        pipeline.load(path)
    if not_loaded:
        raise PlanError(f"CellProfiler cannot load this pipeline as a whole: {'; '.join(not_loaded)}")
    return pipeline, problems


def check_pipeline(pipeline: Any) -> None:
    """Refuse what cannot be merged to what one run would have written."""
    if pipeline.in_batch_mode():
        raise PlanError("this is a batch file of CreateBatchFiles. Give the pipeline from which it was made.")
    for module in pipeline.modules():
        name = f"{module.module_name} (module {module.module_num})"
        if module.module_name in OF_ALL_IMAGE_SETS:
            raise PlanError(
                f"{name} computes from all image sets at the end of a run, which no piece has. Turn the module off, "
                "or run the pipeline as one: cellprofiler -c -r"
            )
        if module.module_name not in TABLE_MODULES:
            continue
        if not module.directory.dir_choice.startswith("Default Output Folder"):
            raise PlanError(
                f"{name} writes into {module.directory.get_absolute_path()}, where the pieces would overwrite each "
                "other's tables. Choose Default Output Folder there; the merged tables then lie in the folder of -o."
            )
        if module.module_name == "ExportToDatabase" and module.db_type.value != "SQLite":
            raise PlanError(f"{name} writes to {module.db_type.value}; only SQLite can be merged. Choose SQLite.")
        if module.module_name == "ExportToSpreadsheet" and module.delimiter_char not in (",", "\t"):
            raise PlanError(f"{name} has the delimiter {module.delimiter_char!r}. Choose Comma or Tab.")
        if getattr(module, "wants_genepattern_file", None) is not None and module.wants_genepattern_file.value:
            raise PlanError(f"{name} writes a GenePattern file, which cannot be merged. Answer No to it.")


def _end_with_batch_file(pipeline: Any, folder: str) -> None:
    """Put CreateBatchFiles at the end, unless it is there."""
    from cellprofiler_core.utilities.core.modules import instantiate_module

    last = pipeline.modules()[-1]
    if not last.is_create_batch_module():
        last = instantiate_module("CreateBatchFiles")
        last.set_module_num(len(pipeline.modules(exclude_disabled=False)) + 1)
        pipeline.add_module(last)
    last.wants_default_output_directory.value = False
    last.custom_output_directory.value = folder


def _text_of(pipeline: Any) -> str:
    import io

    stream = io.StringIO()
    pipeline.dump(stream, save_image_plane_details=False)
    return stream.getvalue()


def main() -> int:
    """Read what to do from a JSON file and write what was found into another; both are named on the command line."""
    logging.basicConfig(level=logging.INFO)
    task, answer = sys.argv[1:]
    with open(task, encoding="utf-8") as stream:
        wanted = json.load(stream)
    try:
        found = write_batch_file(**wanted)
    except PlanError as error:
        found = {"error": str(error)}
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(found, stream)
    return 1 if "error" in found else 0


if __name__ == "__main__":
    sys.exit(main())
