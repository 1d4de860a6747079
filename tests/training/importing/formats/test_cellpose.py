import io
import os
import pathlib
import pickle

import numpy as np
import pytest

from cpunet.errors import ImageError, LabelFileError
from cpunet.training.importing.formats.cellpose import holds_objects, read_seg
from cpunet.training.importing.label_files import read_labels
from tests.import_sources import field

LABELS = field(1, touching=True)[1]


def seg(masks):
    """What Cellpose's GUI saves with numpy.save: see its documentation, and cellpose/io.py and cellpose/gui/io.py."""
    count = int(masks.max(initial=0))
    return {
        "filename": "a.tif",
        "outlines": masks * 0,
        "colors": np.zeros((count, 3), np.uint8),
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(count, bool),
        "flows": [np.zeros((*masks.shape, 3), np.uint8), np.zeros(masks.shape, np.float32), []],
        "diameter": np.float64(13.5),
        "est_diam": np.float32(12.5),
        "model_path": 0,
        "normalize_params": {"lowhigh": None, "percentile": [1.0, 99.0], "normalize": True},
        "manual_changes": [],
    }


def old_file(path, content):
    """Write a file as numpy 1 did: with protocol 3, and under numpy's former names."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": (), "fortran_order": False, "descr": "|O"})
    pickled = pickle.dumps(np.array(content, object), protocol=3)
    assert b"numpy._core" in pickled
    path.write_bytes(stream.getvalue() + pickled.replace(b"numpy._core.", b"numpy.core."))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64, ">u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_masks_come_back(tmp_path, dtype, order):
    masks = np.asarray(LABELS.astype(dtype), order=order)
    np.save(tmp_path / "a_seg.npy", seg(masks))
    assert holds_objects(tmp_path / "a_seg.npy")
    np.testing.assert_array_equal(read_seg(tmp_path / "a_seg.npy"), LABELS)
    np.testing.assert_array_equal(read_labels([tmp_path / "a_seg.npy"], "instances", LABELS.shape).labels, LABELS)


def test_files_of_numpy_1_come_back(tmp_path):
    old_file(tmp_path / "a_seg.npy", seg(LABELS.astype(np.uint16)))
    np.testing.assert_array_equal(read_seg(tmp_path / "a_seg.npy"), LABELS)


def test_a_plane_of_one_and_numbers_with_gaps(tmp_path):
    np.save(tmp_path / "a_seg.npy", seg(np.where(LABELS == 2, 0, LABELS)[None].astype(np.uint16)))
    read = read_labels([tmp_path / "a_seg.npy"], "instances", LABELS.shape).labels
    assert read.shape == LABELS.shape
    assert read.max() == LABELS.max() - 1


def test_a_path_in_place_of_a_name_does_no_harm(tmp_path):
    np.save(tmp_path / "a_seg.npy", {**seg(LABELS), "filename": pathlib.Path("a/b.tif")})
    np.testing.assert_array_equal(read_seg(tmp_path / "a_seg.npy"), LABELS)


class Attack:
    """Makes a file when it is unpickled as usual."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("where", ["masks", "filename", "alone"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path, where):
    attack = Attack(tmp_path / "ran")
    content = attack if where == "alone" else {**seg(LABELS), where: attack}
    np.save(tmp_path / "a_seg.npy", np.array(content, object))
    with pytest.raises(LabelFileError, match=r"a_seg\.npy: this is not read.*it asks for posix\.mkdir.*Save masks"):
        read_seg(tmp_path / "a_seg.npy")
    assert not (tmp_path / "ran").exists()
    np.load(tmp_path / "a_seg.npy", allow_pickle=True)  # as usual, it does run
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (seg(np.zeros((3, 20, 20), np.uint16)), r"masks have the shape \(3, 20, 20\)"),
        ({"outlines": LABELS}, "no file of Cellpose with masks; it holds outlines"),
        ([1, 2, 3], "it holds no dictionary"),
        ({**seg(LABELS), "masks": [1, 2]}, "its masks are no array of numbers"),
        ({**seg(LABELS), "masks": np.array(["a"])}, "its masks are no array of numbers"),
        ({**seg(LABELS), "masks": np.array([None])}, "its masks are no array of numbers"),
        ({**seg(LABELS), "masks": np.zeros(3, [("a", int)])}, "its masks are no array of numbers"),
    ],
)
def test_what_has_no_masks_is_named(tmp_path, content, message):
    np.save(tmp_path / "a_seg.npy", np.array(content, object))
    with pytest.raises(LabelFileError, match=message):
        read_seg(tmp_path / "a_seg.npy")


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    np.save(tmp_path / "a_seg.npy", seg(LABELS.astype(np.uint16)))
    whole = (tmp_path / "a_seg.npy").read_bytes()
    for length in [0, 5, 40, *range(128, len(whole), len(whole) // 40)]:
        (tmp_path / "a_seg.npy").write_bytes(whole[:length])
        with pytest.raises(LabelFileError, match="Save masks as PNG/tif"):
            read_seg(tmp_path / "a_seg.npy")


def test_a_damaged_header_is_refused(tmp_path):
    np.save(tmp_path / "a_seg.npy", seg(LABELS))
    whole = (tmp_path / "a_seg.npy").read_bytes()
    (tmp_path / "a_seg.npy").write_bytes(whole.replace(b"'shape': ()", b"'shape': [[", 1))
    assert not holds_objects(tmp_path / "a_seg.npy")
    with pytest.raises(ImageError, match=r"a_seg\.npy: this cannot be read as an image"):
        read_labels([tmp_path / "a_seg.npy"], "instances", LABELS.shape)
    with pytest.raises(LabelFileError, match="its header cannot be read"):
        read_seg(tmp_path / "a_seg.npy")


def test_masks_that_are_no_labels_are_refused_with_the_file(tmp_path):
    np.save(tmp_path / "a_seg.npy", seg(-LABELS.astype(np.int32)))
    with pytest.raises(LabelFileError, match=r"a_seg\.npy: this holds the negative value"):
        read_labels([tmp_path / "a_seg.npy"], "instances", LABELS.shape)
