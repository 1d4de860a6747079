import pytest

from cpunet.files.label_folder import find_label_files


@pytest.mark.parametrize(
    "ending", ["", "_mask", "_masks", "_seg", "_cp_masks", "_label", "_labels", ".stardist", "_stardist"]
)
@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".png"])
def test_names_of_label_files(tmp_path, ending, suffix):
    for name in (f"a{ending}{suffix}", f"ab{ending}{suffix}", "a_notes.txt", f"a{ending}.npy"):
        (tmp_path / name).touch()
    assert find_label_files("A", tmp_path, [("set", "a")]) == {("set", "a"): tmp_path / f"a{ending}{suffix}"}
