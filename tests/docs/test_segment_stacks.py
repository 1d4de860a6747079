"""The commands of docs/three-dimensions.md that segment stacks run, on small drawn stacks."""

import numpy as np

from cpunet.__main__ import main
from cpunet.files.formats.volume import read_label_volume, write_volume
from cpunet.files.formats.voxel_size import VoxelSize
from tests.docs.pages import commands_of
from tests.places import REPOSITORY
from tests.tiny_volumes import balls, tiny_volume_onnx

PAGE = REPOSITORY / "docs" / "three-dimensions.md"


def test_the_commands_segment_stacks_as_volumes(tmp_path, monkeypatch, capsys):
    volume, _ = balls((16, 90, 100), ((5, 30, 30), (8, 60, 70)), 20)
    stored = np.clip(volume * 40000 + 10000, 0, 65535).astype(np.uint16)
    (tmp_path / "stacks").mkdir()
    for path in (tmp_path / "stacks" / "one.tif", tmp_path / "embryo.tif"):
        write_volume(path, stored, VoxelSize(0.5, 1.0))
    (tmp_path / "my_volumes.onnx").write_bytes(tiny_volume_onnx())
    monkeypatch.chdir(tmp_path)
    commands = [words for words in commands_of(PAGE, "cpunet") if words[1] == "segment"]
    assert len(commands) == 2
    for words in commands:
        assert main(words[1:]) == 0
    assert capsys.readouterr().out.count("2 objects, segmented as a volume") == 2
    for name in ("one", "embryo"):
        assert read_label_volume(tmp_path / "results" / f"{name}_labels.tif").pixels.max() == 2
