import numpy as np
import pytest
import tifffile

from cpunet.training.checking.check import check_data
from cpunet.training.checking.image_facts import ERROR
from cpunet.training.checking.report import report_text, write_report
from cpunet.training.volumes.checking.volume_facts import (
    measure_objects,
    object_warnings,
    plane_warnings,
    spacing_warnings,
)
from tests.labeled_volumes import drawn_volume, write_rows, write_volumes

SAID = {"depth": "8", "pixel_size_um": "0.5", "z_step_um": "1"}
ROWS = [{"id": "a", "split": "train", **SAID}, {"id": "b", "split": "val", **SAID}]


def kinds(folder, rows=ROWS):
    write_rows(folder, rows)
    return {(finding.kind, finding.severity) for finding in check_data([folder]).findings}


def labels_of(folder, name, change):
    path = folder / "labels" / f"{name}.tif"
    labels = tifffile.imread(path)
    tifffile.imwrite(path, change(labels), photometric="minisblack")


def test_good_volumes_have_no_findings_and_a_page(tmp_path):
    write_volumes(tmp_path / "drawn", ROWS)
    report = check_data([tmp_path / "drawn"])
    assert not report.findings
    (first, _) = report.facts
    assert (first.depth, first.shape, first.z_step_px) == (8, (30, 32), 2.0)
    # Balls of 10 pixels across, in planes 2 pixels apart.
    assert first.diameters_px == pytest.approx([10, 10, 10], abs=0.7)
    text = report_text(report)
    assert "planes (Z)                      8 (2)" in text
    assert "z step / pixel                  2 to 2" in text
    write_report(report, tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "3 objects, train, planes 1, 3, 5, 7 of 8" in page


def test_faults_of_labels_are_found_in_three_dimensions(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, ROWS)

    def broken(labels):
        labels[7, 25:28, 2:5] = 1  # a second piece, far above the first
        labels[3, 26:30, 14:18] = 9  # a number with a gap before it, in a single plane, of 16 voxels
        labels[3, 29, 14:18] = 0
        return labels

    labels_of(folder, "a", broken)
    assert {kind for kind, _ in kinds(folder)} == {"pieces", "flat", "numbers", "specks"}
    labels_of(folder, "b", np.zeros_like)
    assert ("empty", "warning") in kinds(folder)


def test_a_missing_or_wrong_distance_of_planes(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, ROWS)
    assert kinds(folder, [{**row, "z_step_um": ""} for row in ROWS]) == {("spacing", "warning")}
    assert kinds(folder, [{**row, "z_step_um": "250"} for row in ROWS]) == {("spacing", "warning")}
    assert kinds(folder, [{**row, "z_step_um": "far"} for row in ROWS]) >= {("file", "error")}


def balls(z_step):
    """Six whole balls of 10 pixels across, in planes so far apart, as they are measured."""
    z, y, x = np.indices((int(12 / z_step) + 2, 12, 72))
    labels = np.zeros(z.shape, np.int32)
    for number in range(6):
        labels[((z - z.shape[0] // 2) * z_step) ** 2 + (y - 6) ** 2 + (x - 6 - 12 * number) ** 2 < 25] = number + 1
    return measure_objects(labels)


def test_objects_that_are_far_too_long_contradict_the_distance_of_planes():
    assert not spacing_warnings(2.0, balls(2.0))
    ((kind, sentence),) = spacing_warnings(8.0, balls(2.0))
    assert kind == "spacing"
    assert "4 times as long along z as wide" in sentence
    assert spacing_warnings(0.5, balls(2.0))


def test_planes_that_stand_alone_were_perhaps_the_only_labeled_ones():
    labels = drawn_volume(0)[1]
    assert not plane_warnings(labels, ())
    sparse = np.where(np.arange(8)[:, None, None] % 3 == 1, labels, 0)
    ((kind, sentence),) = plane_warnings(sparse, ())
    assert (kind, sentence[:33]) == ("planes", "2 planes (2, 5) have labels, and ")
    assert not plane_warnings(sparse, (1, 4, 7))
    assert "2 planes that labeled_planes does not name" in plane_warnings(sparse, (0,))[0][1]


def test_between_labeled_planes_objects_may_be_in_pieces():
    labels = drawn_volume(0)[1]
    labels[::2] = 0
    assert [kind for kind, _ in object_warnings(measure_objects(labels), in_part=False)] == ["pieces"]
    assert not object_warnings(measure_objects(labels), in_part=True)


def test_a_mask_is_no_labels():
    labels = (drawn_volume(0)[1] > 0).astype(np.uint16)
    assert [kind for kind, _ in object_warnings(measure_objects(labels), in_part=False)] == ["mask"]


def test_blank_planes_and_other_numbers_of_the_index(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, ROWS)
    image = tifffile.imread(folder / "images" / "a.tif")
    image[5] = 100
    tifffile.imwrite(folder / "images" / "a.tif", image, photometric="minisblack")
    assert kinds(folder) == {("pixels", "warning")}
    assert kinds(folder, [{**row, "depth": "9"} for row in ROWS]) == {("pixels", "warning"), ("index", "warning")}


def test_errors_stop_a_training(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, ROWS)
    labels_of(folder, "a", lambda labels: labels[1:])
    assert ("labels", ERROR) in kinds(folder)
    (folder / "images" / "b.tif").unlink()
    assert ("file", ERROR) in kinds(folder)
