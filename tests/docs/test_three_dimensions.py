"""The commands of docs/three-dimensions.md that make and check data sets are run, in their order."""

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.training.data.index import read_table, write_table
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, planes_of
from tests.docs.pages import commands_of
from tests.labeled_volumes import drawn_volume
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "three-dimensions.md"
FEW = ["--train", "1", "--val", "1", "--shape", "10", "40", "40"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folders that the page begins with."""
    made = tmp_path_factory.mktemp("volumes")
    for sub in ("stacks", "labels", "sparse", "sparse_labels"):
        (made / sub).mkdir()
    for seed in range(3):
        image, labels = drawn_volume(seed)
        sparse = np.where(np.arange(len(labels))[:, None, None] % 3 == 1, labels, 0)
        for sub, pixels in (("stacks", image), ("labels", labels), ("sparse", image), ("sparse_labels", sparse)):
            tifffile.imwrite(made / sub / f"embryo{seed}_t1.tif", pixels, photometric="minisblack")
    flat = made / "data" / "bbbc039"
    for sub in ("images", "labels"):
        (flat / sub).mkdir(parents=True)
    drawn = synthetic_field((160, 160), columns=4, diameter_px=28, seed=1)
    imsave(str(flat / "images" / "a.png"), (drawn.image * 200).astype(np.uint8), check_contrast=False)
    imsave(str(flat / "labels" / "a.png"), drawn.labels.astype(np.uint16), check_contrast=False)
    row = {"id": "a", "modality": "fluorescence", "split": "train"}
    write_table(flat, ["id", "modality", "split", "duplicate_of"], [row])
    return made


def test_each_command_on_data_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words = [command[1:] for command in commands_of(PAGE, "cpunet") if command[1] == "data"]
    assert [command[1] for command in words] == [
        "import-volumes",
        "check",
        "import-volumes",
        "import-volumes",
        "download",
        "synthetic-volumes",
        "synthetic-volumes",
    ]
    for command in words:
        if command[1] == "download":  # the set is there
            continue
        small = FEW if command[1] == "synthetic-volumes" else []
        assert main([*command, *small]) == 0, f"{' '.join(command)}\n{capsys.readouterr().err}"
    sets = folder / "data"
    assert {row["group"] for row in read_table(sets / "my_volumes").rows} == {"embryo0", "embryo1", "embryo2"}
    assert find_labeled_volumes(sets / "my_sizes")[0].z_step_px == pytest.approx(1.75 / 0.8)
    assert planes_of(read_table(sets / "my_planes").rows[0], sets) == (1, 4)
    assert (folder / "check.html").is_file()
    for name in ("synthetic_nuclei_3d", "small_nuclei"):
        assert len(find_labeled_volumes(sets / name)) == 2
