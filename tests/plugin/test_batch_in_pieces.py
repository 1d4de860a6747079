"""Pieces of a batch, merged, are what one run of CellProfiler writes; what its exit codes say."""

import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import tifffile

from cpunet.batch.folder import BatchFolder, failures_of, read_json
from cpunet.batch.merging.merge import merge
from cpunet.batch.report import write_report
from cpunet.errors import BatchError
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline
from tests.plugin.pieces import (
    TIMES,
    check_same_table,
    comparable,
    request_for,
    run_all_pieces,
    table,
    unet_of,
    write_images,
)


def modules_with_all_tables(folder):
    cells = make_module("IdentifySecondaryObjects", x_name="Nuclei", y_name="Cells", image_name="DNA")
    cells.method.value, cells.distance_to_dilate.value = "Distance - N", 4
    neighbors = make_module("MeasureObjectNeighbors", object_name="Nuclei", neighbors_name="Nuclei")
    neighbors.distance_method.value = "Expand until adjacent"
    saved = make_module("SaveImages", image_name="DNA", file_image_name="DNA", wants_file_name_suffix=True)
    saved.file_name_suffix.value, saved.file_format.value = "_copy", "tiff"
    saved.pathname.value, saved.update_file_names.value = "Default Output Folder sub-folder|pictures", True
    database = make_module("ExportToDatabase", sqlite_file="all.db", wants_relationship_table_setting=True)
    database.save_cpa_properties.value = True
    relationships = make_module("ExportToSpreadsheet", wants_prefix=False, wants_everything=False)
    relationships.object_groups[0].name.value = "Object relationships"
    sheet = make_module("ExportToSpreadsheet", wants_prefix=False, wants_aggregate_means=True)
    return [
        *input_modules(),
        # It makes at the first image set what it uses for all others.
        make_module("Crop", image_name="DNA", cropped_image_name="Cropped", individual_or_once="First"),
        unet_of(folder),
        cells,
        make_module("MeasureObjectSizeShape", objects_list="Nuclei, Cells"),
        neighbors,
        saved,
        database,
        sheet,
        relationships,
    ]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folders of one run and of a batch of three pieces, of the same five images."""
    base = tmp_path_factory.mktemp("pieces")
    write_images(base / "images")
    pipeline = write_pipeline(base / "all.cppipe", modules_with_all_tables(base / "model"))
    done = run_headless(pipeline, base / "images", base / "one")
    assert done.returncode == 0, done.log
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(base / "stand-in")  # the stand-in for MySQLdb that run_headless made
    try:
        folder = BatchFolder(base / "batch")
        plan = run_all_pieces(folder, request_for(pipeline, base / "images", 2))
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
    assert [(piece.first, piece.last) for piece in plan.pieces] == [(1, 2), (3, 4), (5, 5)]
    warnings = []
    merge(folder, warnings.append)
    assert warnings == []
    return base / "one", folder


def files_below(path, without=()):
    found = [each.relative_to(path) for each in path.rglob("*") if each.is_file()]
    return {each for each in found if each.parts[0] not in without}


def test_the_same_files_are_written(both):
    one, folder = both
    assert files_below(folder.output, without=("batch",)) == files_below(one)
    assert len(files_below(one)) >= 5 + 7


@pytest.mark.parametrize("name", ["Image", "Nuclei", "Cells"])
def test_csv_tables_are_those_of_one_run(both, name):
    one, folder = both
    head = check_same_table(one, folder.output, name)
    if name == "Image":
        assert [float(row["Count_Nuclei"]) for row in rows_of(folder.output / "Image.csv")] == [4, 1, 0, 2, 3]
        assert {"Group_Number", "Group_Index", "Group_Length", "PathName_DNA"} <= set(head)


def test_the_table_of_relationships_is_that_of_one_run_kind_by_kind(both):
    one, folder = both
    expected, found = (table(place / "Object relationships.csv") for place in (one, folder.output))
    assert len(expected) > 10
    assert found[0] == expected[0]

    def kinds(rows):
        kept = {}
        for row in rows[1:]:
            kept.setdefault((*row[:4], row[6]), []).append(row)
        return kept

    assert kinds(found) == kinds(expected)  # one run takes the kinds in the order of a set, which changes


def test_the_table_of_the_experiment_is_that_of_one_run(both):
    one, folder = both
    expected, found = (table(place / "Experiment.csv") for place in (one, folder.output))
    assert [row[0] for row in found] == [row[0] for row in expected]
    for theirs, ours in zip(expected, found):
        assert theirs[0].startswith(TIMES) or theirs == ours


def contents_of(path, folder):
    with closing(sqlite3.connect(path)) as database:
        kinds = database.execute("select type, name, sql from sqlite_master order by name").fetchall()
        found = {}
        for kind, name, _ in kinds:
            if kind == "table":
                columns = [row[1] for row in database.execute(f'pragma table_info("{name}")')]
                kept = [f'"{column}"' for column in columns if not column.replace("Image_", "").startswith(TIMES)]
                rows = database.execute(f'select {", ".join(kept)} from "{name}"').fetchall()
                found[name] = [[comparable(value, folder) for value in row] for row in rows]
        return kinds, found


def test_the_database_is_that_of_one_run(both):
    one, folder = both
    expected_kinds, expected = contents_of(one / "all.db", one)
    found_kinds, found = contents_of(folder.output / "all.db", folder.output)
    assert found_kinds == expected_kinds
    assert set(found) == set(expected)
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert len(found["MyExpt_Per_Image"]) == 5
    assert len(found["MyExpt_Per_Relationships"]) > 5
    assert len(found["MyExpt_Per_Object"]) == 10


def test_files_and_pictures_are_those_of_one_run(both):
    one, folder = both
    others = [name for name in files_below(one) if name.suffix not in (".csv", ".db")]
    assert {".tiff", ".properties"} <= {name.suffix for name in others}
    for name in others:
        expected, found = (one / name).read_bytes(), (folder.output / name).read_bytes()
        if name.suffix == ".properties":
            expected, found = (
                "\n".join(
                    line for line in text.decode().replace(str(place), "OUT").splitlines() if not line.startswith("#")
                )
                for text, place in ((expected, one), (found, folder.output))
            )
        assert found == expected, name


def test_the_report_names_pieces_seconds_and_the_model_with_its_sum(both):
    _, folder = both
    text = write_report(folder)
    report = read_json(folder.output / "batch-report.json")
    (folder.output / "batch-report.json").unlink()
    (folder.output / "batch-report.txt").unlink()
    assert report["merged"]
    assert [piece["state"] for piece in report["pieces"]] == ["done"] * 3
    assert all(piece["seconds"] > 0 and piece["cpu_seconds"] > 0 for piece in report["pieces"])
    (model,) = report["models"]
    assert rows_of(folder.output / "Image.csv")[0]["Segmentation_ModelSHA256_Nuclei"] == model["sha256"]
    assert model["sha256"] in text
    assert report["failed_attempts"] == 0


def test_a_second_merge_gives_the_same(both):
    _, folder = both
    before = {name: (folder.output / name).read_bytes() for name in ("Image.csv", "Nuclei.csv")}
    merge(folder, print)
    assert {name: (folder.output / name).read_bytes() for name in before} == before


def test_pieces_that_ran_another_model_are_not_merged(both):
    _, folder = both
    path = folder.result("0002")
    text = path.read_text(encoding="utf-8")
    (model,) = read_json(path)["models"]
    path.write_text(text.replace(model["sha256"], "f" * 64), encoding="utf-8")
    try:
        with pytest.raises(BatchError, match="A model was changed while the batch ran"):
            merge(folder, print)
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def with_a_broken_image(tmp_path_factory):
    """Two images, the second of which our module refuses, since it is in color; and the pipeline."""
    base = tmp_path_factory.mktemp("broken")
    base.joinpath("images").mkdir()
    gray = np.zeros((60, 60, 3), np.uint8)
    color = gray.copy()
    color[:, 20:, 0], color[:, 40:, 1] = 200, 90
    for name, image in (("1.tif", gray), ("2.tif", color)):
        tifffile.imwrite(base / "images" / name, image, photometric="rgb")
    inputs = input_modules()
    inputs[2].single_load_as_choice.value = "Color image"
    modules = [*inputs, unet_of(base / "model"), make_module("ExportToSpreadsheet", wants_prefix=False)]
    return base, write_pipeline(base / "broken.cppipe", modules)


@pytest.mark.parametrize(
    ("more", "code", "status"),
    [(["-d", "DONE"], 255, "Failure"), ([], 1, None), (["-d", "DONE", "--always-continue"], 0, "Complete")],
    ids=["done-file", "without", "always continue"],
)
def test_what_cellprofiler_returns_if_an_image_fails(with_a_broken_image, tmp_path, more, code, status):
    base, pipeline = with_a_broken_image
    done_file = tmp_path / "done.txt"
    words = [str(done_file) if word == "DONE" else word for word in more]
    done = run_headless(pipeline, base / "images", tmp_path / "output", *words)
    assert done.returncode == code
    assert (done_file.read_text().strip() if done_file.exists() else None) == status
    assert (tmp_path / "output" / "Image.csv").exists() is (code == 0)
    assert "Error detected during run of module IdentifyObjectsUNet" in done.log  # which `cpunet batch` searches for


@pytest.mark.parametrize(("with_done_file", "code"), [(True, 255), (False, 0)])
def test_what_cellprofiler_returns_if_a_module_fails_after_the_last_image(tmp_path, with_done_file, code):
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "1.tif", np.zeros((60, 60), np.uint16))
    (tmp_path / "output" / "Image.csv").mkdir(parents=True)  # where the table should be
    sheet = make_module("ExportToSpreadsheet", wants_prefix=False, wants_overwrite_without_warning=True)
    pipeline = write_pipeline(tmp_path / "a.cppipe", [*input_modules(), unet_of(tmp_path / "model"), sheet])
    more = ["-d", str(tmp_path / "done.txt")] if with_done_file else []
    done = run_headless(pipeline, tmp_path / "images", tmp_path / "output", *more)
    assert done.returncode == code, done.log
    assert "Failed to complete post_run" in done.log


def test_a_piece_whose_image_fails_is_a_failed_piece(with_a_broken_image):
    base, pipeline = with_a_broken_image
    folder = BatchFolder(base / "batch")
    with pytest.raises(
        BatchError, match=r"Error detected during run of module IdentifyObjectsUNet: .*For a color image"
    ):
        run_all_pieces(folder, request_for(pipeline, base / "images", 2))
    (failure,) = failures_of(folder.piece("0001"))
    assert failure["exit_code"] == 255
    assert not folder.result("0001").exists()
    assert not list(folder.piece("0001").glob("*/output"))
    assert "failed after" in write_report(folder)
