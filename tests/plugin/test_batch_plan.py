"""Which pipelines can be run in pieces, and how groups become pieces."""

import os
import re
import sys

import numpy as np
import pytest
import tifffile
from cellprofiler_core.pipeline import Pipeline

from cpunet.batch.folder import BatchFolder, Request
from cpunet.batch.plan import plan_batch
from cpunet.batch.write_batch_file import PlanError, check_pipeline
from cpunet.errors import BatchError
from tests.plugin.headless import PLUGINS, input_modules, make_module, rows_of, run_headless, write_pipeline


def pipeline_of(*modules):
    pipeline = Pipeline()
    for number, module in enumerate(modules, start=1):
        module.set_module_num(number)
        pipeline.add_module(module)
    return pipeline


def spreadsheet(**values):
    return make_module("ExportToSpreadsheet", **values)


def with_folder(module, folder):
    module.directory.value = folder
    return module


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (lambda: make_module("CalculateStatistics"), "computes from all image sets at the end of a run"),
        (lambda: with_folder(spreadsheet(), "Elsewhere...|/somewhere"), "writes into /somewhere"),
        (lambda: with_folder(make_module("ExportToDatabase"), "Default Input Folder|"), "Choose Default Output Folder"),
        (lambda: make_module("ExportToDatabase", db_type="MySQL"), "only SQLite can be merged"),
        (lambda: spreadsheet(delimiter=";"), "Choose Comma or Tab"),
        (lambda: spreadsheet(wants_genepattern_file=True), "GenePattern"),
        (lambda: make_module("CreateBatchFiles", batch_mode=True), "Give the pipeline from which it was made"),
    ],
)
def test_what_cannot_be_merged_is_refused(module, said):
    with pytest.raises(PlanError, match=re.escape(said)):
        check_pipeline(pipeline_of(make_module("Images"), module()))


def test_tables_in_the_default_output_folder_are_fine():
    below = with_folder(spreadsheet(), "Default Output Folder sub-folder|tables")
    check_pipeline(pipeline_of(spreadsheet(), below, spreadsheet(delimiter="Tab"), make_module("ExportToDatabase")))


def grouped_modules():
    """Image files named field_plate, among which plates alternate, are grouped by plate, and objects tracked in it."""
    images, metadata, names, groups = input_modules()
    metadata.wants_metadata.value = True
    metadata.extraction_methods[0].file_regexp.value = r"^(?P<Field>[0-9])_(?P<Plate>[A-Z])"
    groups.wants_groups.value = True
    groups.grouping_metadata[0].metadata_choice.value = "Plate"
    found = make_module("IdentifyPrimaryObjects", x_name="DNA", y_name="Spots", exclude_size=False)
    tracked = make_module("TrackObjects", object_name="Spots")
    return [images, metadata, names, groups, found, tracked, make_module("ExportToSpreadsheet", wants_prefix=False)]


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """The plan of a batch of two plates of two fields, and one of one field; with its batch file."""
    base = tmp_path_factory.mktemp("grouped")
    base.joinpath("images").mkdir()
    for name in ("1_B", "1_A", "2_A", "1_C", "2_B"):
        image = np.zeros((40, 40), np.uint16)
        image[10:20, 10:20] = 40000
        tifffile.imwrite(base / "images" / f"{name}.tif", image)
    pipeline = write_pipeline(base / "grouped.cppipe", grouped_modules())
    folder = BatchFolder(base / "batch")
    request = Request(str(pipeline), "0" * 64, str(base / "images"), 1, sys.executable, str(PLUGINS))
    return base, folder, plan_batch(folder, request, dict(os.environ))


def test_groups_are_not_split(grouped):
    _, _, plan = grouped
    assert plan.groups == ((1, 2), (3, 4), (5, 5))
    assert [(piece.first, piece.last) for piece in plan.pieces] == [(1, 2), (3, 4), (5, 5)]
    assert plan.notes == ("TrackObjects computes from all image sets of a group, so groups were not split.",)


def test_a_group_of_the_batch_file_is_the_range_of_its_piece(grouped):
    base, folder, _ = grouped
    done_file = base / "done.txt"
    for name, more in (("by_group", ("-g", "Metadata_Plate=B")), ("by_range", ("-f", "3", "-l", "4"))):
        done = run_headless(folder.batch_file, base / "images", base / name, *more, "-d", str(done_file))
        assert done.returncode == 0, done.log
        assert done_file.read_text().strip() == "Complete"
        rows = rows_of(base / name / "Image.csv")
        assert [row["ImageNumber"] for row in rows] == ["3", "4"]
        assert [row["Metadata_Plate"] for row in rows] == ["B", "B"]
        assert [(row["Group_Number"], row["Group_Index"], row["Group_Length"]) for row in rows] == [
            ("2", "1", "2"),
            ("2", "2", "2"),
        ]
    assert (base / "by_group" / "Spots.csv").read_bytes() == (base / "by_range" / "Spots.csv").read_bytes()


def test_a_pipeline_that_does_not_load_as_a_whole_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "1.tif", np.zeros((9, 9), np.uint16))
    pipeline = write_pipeline(tmp_path / "a.cppipe", [*input_modules(), spreadsheet()])
    text = pipeline.read_text(encoding="utf-8").replace("ExportToSpreadsheet:", "ExportToNowhere:")
    pipeline.write_text(text, encoding="utf-8")
    request = Request(str(pipeline), "0" * 64, str(tmp_path / "images"), 1, sys.executable, str(PLUGINS))
    with pytest.raises(BatchError, match="cannot load this pipeline as a whole: ExportToNowhere"):
        plan_batch(BatchFolder(tmp_path / "batch"), request, dict(os.environ))


def test_a_batch_file_is_no_pipeline(grouped, tmp_path):
    base, folder, _ = grouped
    request = Request(str(folder.batch_file), "0" * 64, str(base / "images"), 1, sys.executable, str(PLUGINS))
    with pytest.raises(BatchError, match="Give the pipeline from which it was made"):
        plan_batch(BatchFolder(tmp_path / "batch"), request, dict(os.environ))
