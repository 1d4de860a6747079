import numpy as np
import pytest

from cpunet.training.data.labeled_images import read_index
from tests.import_sources import data, field, put
from tests.written_sets import RNG, contents, same_objects


def write_output(folder, names=("A01", "A02", "A03"), image="_DNA", labels="_Nuclei"):
    """Write what SaveImages writes; return the objects by name."""
    drawn = {}
    for seed, name in enumerate(names):
        pixels, truth = field(seed, touching=seed % 2 == 1)
        put(folder / f"{name}{image}.tiff", pixels)
        put(folder / f"{name}{labels}.tiff", truth.astype(np.uint16))
        drawn[name] = pixels, truth
    return drawn


def test_a_cellprofiler_folder_by_its_suffixes(tmp_path):
    drawn = write_output(tmp_path / "out/plate1") | {
        f"plate2_{name}": pair for name, pair in write_output(tmp_path / "out/plate2", ("B01",)).items()
    }
    write_output(tmp_path / "out/plate1", image="_ER", labels="_Cells")
    (tmp_path / "out/Image.csv").write_text("ImageNumber\n1\n")
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    assert read.keys() == {"A01", "A02", "A03", "B01"}
    np.testing.assert_array_equal(read["A02"].image, drawn["A02"][0])
    np.testing.assert_array_equal(read["A02"].labels, drawn["A02"][1])


def test_one_name_in_two_folders_takes_the_folders_name(tmp_path):
    for plate in ("p1", "p2"):
        write_output(tmp_path / "out" / plate, ("A01",))
    put(tmp_path / "out/p2/A01_DNA.tiff", field(5)[0])
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "--group", "^(p.)_", "-o", tmp_path / "new") == 0
    assert {row.id: row.group for row in read_index(tmp_path / "new")} == {"p1_A01": "p1", "p2_A01": "p2"}


@pytest.mark.parametrize(
    ("image", "labels"), [("_DNA", "_Nuclei"), ("", "_labels"), ("_image", "_img_objects"), ("w1", "w1_Nuc")]
)
def test_suffixes_are_found_by_looking_into_the_files(tmp_path, image, labels, capsys):
    drawn = write_output(tmp_path / "out", image=image, labels=labels)
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 0
    assert "chosen by looking into the files: --image-suffix" in capsys.readouterr().out
    read = contents(tmp_path / "new")
    assert len(read) == 3
    for (_, truth), found in zip(drawn.values(), read.values(), strict=True):
        np.testing.assert_array_equal(found.labels, truth)


def test_a_choice_that_is_not_clear_is_asked_for(tmp_path, capsys):
    write_output(tmp_path / "out")
    write_output(tmp_path / "out", image="_ER", labels="_Cells")
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert "several pairs fit" in printed
    assert "--image-suffix '_DNA' --labels-suffix '_Nuclei'" in printed


def test_a_folder_without_label_images_is_refused(tmp_path, capsys):
    put(tmp_path / "out/a.tiff", field(0)[0])
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 2
    assert "none of the first 1 PNG and TIFF files is a label image" in capsys.readouterr().err


def test_labels_saved_as_a_mask_name_the_setting_to_change(tmp_path, capsys):
    write_output(tmp_path / "out")
    put(tmp_path / "out/A01_Nuclei.tiff", (field(0)[1] > 0).astype(np.uint8) * 255)
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert "A01_Nuclei.tiff: this is a mask" in printed
    assert '"uint16" in ConvertObjectsToImage' in printed


def test_colors_of_convertobjectstoimage_are_read(tmp_path):
    drawn = write_output(tmp_path / "out")
    for name, (_, truth) in drawn.items():
        colors = RNG.random((truth.max() + 1, 3)).astype(np.float32)
        colors[0] = 0
        put(tmp_path / f"out/{name}_Nuclei.tiff", colors[truth])
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 0
    assert same_objects(contents(tmp_path / "new")["A02"].labels, drawn["A02"][1])
