"""A batch gives the tables of one run also where LoadData lists the images, and where the pipeline is a project."""

import csv

from cellprofiler_core.image import ImageSetList
from cellprofiler_core.utilities.pathname import pathname2url
from cellprofiler_core.workspace import Workspace

from benchmarks.pipeline_text import read_pipeline
from cpunet.batch.folder import BatchFolder
from cpunet.batch.merging.merge import merge
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline
from tests.plugin.pieces import check_same_table, request_for, run_all_pieces, unet_of, write_images

# Plates, of which the table lists the fields in turn.
PLATES = {0: "B", 1: "A", 2: "B", 3: "A", 4: "A"}


def batch_of(pipeline, images, output, size):
    folder = BatchFolder(output)
    plan = run_all_pieces(folder, request_for(pipeline, images, size))
    warnings = []
    merge(folder, warnings.append)
    assert warnings == []
    return folder, [(piece.first, piece.last) for piece in plan.pieces]


def run_once(pipeline, images, output):
    done = run_headless(pipeline, images, output)
    assert done.returncode == 0, done.log
    return output


def sheet():
    return make_module("ExportToSpreadsheet", wants_prefix=False)


def write_table(images):
    """Write a table as a plate reader may: file names, folders below that of the images, and plates."""
    with (images / "fields.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Image_FileName_DNA", "Image_PathName_DNA", "Metadata_Plate"])
        writer.writerows([f"field_{field}.tif", "fields", plate] for field, plate in PLATES.items())


def test_images_of_a_table_in_groups(tmp_path):
    images = tmp_path / "images"
    write_images(images / "fields")
    write_table(images)
    load = make_module("LoadData", csv_file_name="fields.csv")
    load.csv_directory.value = load.image_directory.value = "Default Input Folder|"
    load.wants_image_groupings.value, load.metadata_fields.value = True, "Plate"
    pipeline = write_pipeline(tmp_path / "table.cppipe", [load, unet_of(tmp_path / "model"), sheet()])
    one = run_once(pipeline, images, tmp_path / "one")
    batch, pieces = batch_of(pipeline, images, tmp_path / "batch", 1)
    assert pieces == [(1, 3), (4, 5)]
    for name in ("Image", "Nuclei"):
        check_same_table(one, batch.output, name)
    rows = rows_of(batch.output / "Image.csv")
    assert [row["Metadata_Plate"] for row in rows] == ["A", "A", "A", "B", "B"]
    assert sorted(float(row["Count_Nuclei"]) for row in rows) == [0, 1, 2, 3, 4]


def write_project(path, modules, images):
    """Write a project as CellProfiler's window saves it, with its list of images."""
    pipeline = read_pipeline(write_pipeline(path.with_suffix(".cppipe"), modules).read_text(encoding="utf-8"))
    workspace = Workspace(pipeline, None, None, None, None, ImageSetList())
    workspace.create()
    workspace.file_list.add_files_to_filelist([pathname2url(str(image)) for image in images])
    workspace.save_pipeline_to_measurements()
    workspace.save(str(path))
    workspace.close()
    return path


def test_a_project(tmp_path):
    images = tmp_path / "images"
    write_images(images)
    modules = [*input_modules(), unet_of(tmp_path / "model"), sheet()]
    project = write_project(tmp_path / "all.cpproj", modules, sorted(images.iterdir()))
    one = run_once(project, images, tmp_path / "one")
    batch, pieces = batch_of(project, images, tmp_path / "batch", 3)
    assert pieces == [(1, 3), (4, 5)]
    for name in ("Image", "Nuclei"):
        check_same_table(one, batch.output, name)
    assert len(rows_of(batch.output / "Image.csv")) == 5
