from pathlib import Path

import numpy as np
import pytest

from cpunet.cellprofiler_program.log import RunLog
from cpunet.comparison.compared_fields import compare_record, compare_run, field_names, mean_intensities
from cpunet.comparison.pipeline_of_both import Pair
from cpunet.comparison.records import Record, read_fields, read_record, record_path, write_fields, write_record
from cpunet.comparison.run_both import RunOfBoth
from tests.boxes import FIRST, SECOND, THIRD, boxes

NOTHING = boxes()


def record(primary, unet):
    return Record(np.ones(primary.shape, np.float32), primary, unet)


def compared(primary, unet):
    return compare_record("a", Path("a"), record(primary, unet))


CASES = {
    "kept": (boxes(FIRST), boxes(FIRST), 0),
    "cut": (boxes((2, 14, 2, 26)), boxes((2, 14, 2, 13), (2, 14, 14, 26)), 1),
    "merged": (boxes((2, 14, 2, 14), (2, 14, 14, 26)), boxes((2, 14, 2, 26)), 2),
    "missed": (boxes(FIRST), NOTHING, 1),
    "invented": (NOTHING, boxes(FIRST), 1),
    "wrong_size": (boxes((2, 14, 2, 14)), boxes((0, 18, 0, 18)), 1),
}


@pytest.mark.parametrize("fate", CASES)
def test_objects_are_sorted_by_what_the_unet_makes_of_those_of_the_other_module(fate):
    primary, unet, differing = CASES[fate]
    field = compared(primary, unet)
    assert getattr(field.counts, fate) == max(1, differing)
    assert field.differing == differing
    assert (field.primary_count, field.unet_count) == (primary.max(), unet.max())


def test_areas_and_intensities_are_of_the_objects_that_both_found_whatever_their_numbers():
    primary, unet = boxes(FIRST, SECOND, THIRD), boxes(THIRD, (2, 14, 2, 13))
    image = np.where(primary == 1, 0.5, np.where(primary == 3, 0.25, 0)).astype(np.float32)
    field = compare_record("a", Path("a"), Record(image, primary, unet))
    assert field.areas.tolist() == [[144, 132], [144, 144]]
    assert field.intensities.tolist() == [[0.5, 0.5], [0.25, 0.25]]


def test_pixels_outside_the_mask_do_not_count_for_the_mean_intensity():
    image = np.array([[0.2, 0.4, np.nan, 1.0, np.nan]], np.float32)
    assert mean_intensities(image, np.array([[1, 1, 1, 4, 6]])) == pytest.approx([0.3, 1.0, 0.0])


def test_two_fields_without_objects_are_the_same():
    field = compared(NOTHING, NOTHING)
    assert (field.differing, field.areas.shape, field.intensities.shape) == (0, (0, 2), (0, 2))


def test_fields_that_differ_most_come_first_and_those_that_failed_are_named(tmp_path):
    write_record(record_path(tmp_path, 2, 1), record(boxes(FIRST), boxes(FIRST)))
    write_record(record_path(tmp_path, 2, 3), record(boxes(FIRST, SECOND), NOTHING))
    write_fields(tmp_path, {1: {"DNA": "/x/a.tif"}, 2: {"DNA": "/x/b.tif"}, 3: {"DNA": "/x/c.tif"}})
    log = RunLog(seconds={(3, 5): 0.5, (3, 6): 0.25}, failures={2: "Crop: too small"})
    found = compare_run(RunOfBoth(tmp_path, read_fields(tmp_path), log), 2, Pair("Nuclei", "DNA", 5, 6))
    assert [each.name for each in found.fields] == ["c.tif", "a.tif"]
    assert found.failed == {"b.tif": "Crop: too small"}
    assert [each.seconds for each in found.fields] == [(0.5, 0.25), (None, None)]
    assert (found.primary_count, found.unet_count, found.counts.kept, found.counts.missed) == (3, 1, 1, 2)


def test_a_record_is_read_as_it_was_written(tmp_path):
    written = Record(
        np.array([[np.nan, 0.5]], np.float32), np.array([[0, 70000]], np.int32), np.array([[1, 0]], np.int32)
    )
    write_record(tmp_path / "a.npz", written)
    for before, after in zip(written, read_record(tmp_path / "a.npz")):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype


NAMES = {
    "the file": ({1: {"DNA": "/x/a.tif"}, 2: {"DNA": "/x/b.tif"}}, ["a.tif", "b.tif"]),
    "with its folder": ({1: {"DNA": r"C:\x\1\a.tif"}, 2: {"DNA": r"C:\x\2\a.tif"}}, ["1/a.tif", "2/a.tif"]),
    "planes of one file": (
        {1: {"DNA": "/x/a.tif"}, 2: {"DNA": "/x/a.tif"}},
        ["a.tif, image set 1", "a.tif, image set 2"],
    ),
    "an image made by a module": ({4: {"Other": "/x/a.tif"}}, ["a.tif"]),
    "no file": ({4: {}}, ["image set 4"]),
}


@pytest.mark.parametrize("case", NAMES)
def test_fields_are_named_by_as_much_of_their_paths_as_tells_them_apart(case):
    fields, expected = NAMES[case]
    assert list(field_names(fields, "DNA").values()) == expected
