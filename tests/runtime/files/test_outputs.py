import os
import zipfile

import numpy as np
import pytest
import tifffile

from cpunet.errors import OutputError
from cpunet.files.find import identity
from cpunet.files.images import write_labels, write_picture, write_text
from cpunet.files.mark import source_of
from cpunet.files.outputs import check_output
from cpunet.files.written_beside import written_beside
from tests.tiny_onnx import tiny_onnx

LABELS = np.eye(5, dtype=np.int32)


def foreign(path):
    """Write a file as another program would."""
    if path.suffix == ".tif":
        tifffile.imwrite(str(path), LABELS.astype(np.uint16))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    else:
        path.write_text("the user's own")


def own(path):
    """Write a file as this program does."""
    if path.suffix == ".tif":
        write_labels(path, LABELS)
    elif path.suffix == ".png":
        write_picture(path, np.zeros((5, 5, 3), np.uint8))
    elif path.suffix == ".onnx":
        path.write_bytes(tiny_onnx())
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.comment = b"cpunet"
    else:
        write_text(path, "{\n}\n" if path.suffix == ".json" else "text\n")


NAMES = ["a.tif", "a.png", "a.html", "a.json", "a.onnx", "a.zip"]


@pytest.mark.parametrize("name", NAMES)
def test_what_this_program_wrote_is_replaced_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    check_output(path)
    own(path)
    check_output(path)
    foreign(path)
    with pytest.raises(OutputError, match=rf"{name} exists, and was not written by cpunet.*--overwrite"):
        check_output(path)
    check_output(path, overwrite=True)


@pytest.mark.parametrize("name", [*NAMES, "a.safetensors"])
def test_a_file_that_cannot_be_read_is_the_users(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(OutputError, match="not written by cpunet"):
        check_output(tmp_path / name)


def test_a_report_that_was_changed_is_the_users(tmp_path):
    path = tmp_path / "a.html"
    own(path)
    path.write_text("a note of mine\n" + path.read_text())
    with pytest.raises(OutputError, match="changed after cpunet wrote it"):
        check_output(path)


def test_an_input_is_never_replaced(tmp_path):
    path = tmp_path / "a.tif"
    own(path)
    link = tmp_path / "b.tif"
    link.symlink_to(path)
    for place in (path, link, tmp_path / "x" / ".." / "a.tif"):
        with pytest.raises(OutputError, match="is an input of this command"):
            check_output(place, {identity(path)}, overwrite=True)


def test_the_result_of_another_image_is_not_replaced(tmp_path):
    for folder in ("plate1", "plate2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "A01.tif").write_text(folder)
    one, two = (source_of(tmp_path / folder / "A01.tif") for folder in ("plate1", "plate2"))
    write_labels(tmp_path / "A01_labels.tif", LABELS, one)
    check_output(tmp_path / "A01_labels.tif", source=one)
    with pytest.raises(OutputError, match=r"holds the objects of another image, A01\.tif"):
        check_output(tmp_path / "A01_labels.tif", source=two)
    check_output(tmp_path / "A01_labels.tif", source=two, overwrite=True)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_stay_links(tmp_path):
    (tmp_path / "there").mkdir()
    place = tmp_path / "there" / "a.tif"
    own(place)
    link = tmp_path / "a.tif"
    link.symlink_to(place)
    write_labels(link, LABELS * 2)
    assert link.is_symlink()
    assert tifffile.imread(str(place)).max() == 2
    nowhere = tmp_path / "b.tif"
    nowhere.symlink_to(tmp_path / "absent.tif")
    with pytest.raises(OutputError, match="not written by cpunet"):
        check_output(nowhere)
    loop = tmp_path / "c.tif"
    loop.symlink_to(loop)
    with pytest.raises(OutputError, match="not written by cpunet"):
        check_output(loop)


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "a.tif", overwrite=True)


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("a" * 240 + "_labels.tif")
    write_labels(path, LABELS)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_an_error_names_the_result_and_not_the_hidden_file(tmp_path):
    path = tmp_path / "absent" / "a.tif"
    with pytest.raises(FileNotFoundError) as caught:
        write_labels(path, LABELS)
    assert str(caught.value).endswith(f": {str(path)!r}")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_what_was_not_finished(tmp_path, error):
    def write():
        with written_beside(tmp_path / "a.tif") as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert list(tmp_path.iterdir()) == []
