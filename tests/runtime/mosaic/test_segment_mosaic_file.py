"""`cpunet segment` by tile: what it writes, and that a killed run is resumed."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.model.session import OnnxModel
from cpunet.mosaic import segment_mosaic_file

KILLED = """
import os, signal, sys
import cpunet.model.session as session
session.is_trusted = lambda sha256: True
predict, calls = session.OnnxModel.predict, []
def until_killed(self, batch):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return predict(self, batch)
session.OnnxModel.predict = until_killed
import cpunet.commands.segment as command
from cpunet.options import Options
command.Options = lambda **given: Options(tile_shape=(128, 128), **given)
from cpunet.__main__ import main
main(sys.argv[1:])
"""


@pytest.fixture
def mosaic(field, tmp_path):
    path = tmp_path / "mosaic.tif"
    tifffile.imwrite(str(path), field, tile=(128, 128), compression="zlib")
    return path


def segment(*words):
    return main(["segment", *map(str, words)])


@pytest.fixture
def small_tiles(monkeypatch):
    from cpunet.commands import segment as command
    from cpunet.options import Options

    monkeypatch.setattr(command, "Options", lambda **given: Options(tile_shape=(128, 128), **given))


def test_labels_by_tile_are_the_file_of_one_piece_in_tiles(mosaic, tiny_model, small_tiles, tmp_path, capsys):
    assert segment(mosaic, "-o", tmp_path / "whole", "--model", tiny_model) == 0
    assert segment(mosaic, "-o", tmp_path / "tiled", "--model", tiny_model, "--by-tile") == 0
    assert "420 x 530 pixels, by tile" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "tiled").iterdir()] == ["mosaic_labels.tif"]
    with tifffile.TiffFile(str(tmp_path / "tiled" / "mosaic_labels.tif")) as file:
        assert file.pages[0].is_tiled
        labels, mark = file.asarray(), file.pages[0].tags["Software"].value
    with tifffile.TiffFile(str(tmp_path / "whole" / "mosaic_labels.tif")) as file:
        np.testing.assert_array_equal(labels, file.asarray())
        assert mark == file.pages[0].tags["Software"].value, "the mark holds the hash of the pixels"


def test_a_killed_run_is_resumed_with_the_same_labels(mosaic, tiny_model, small_tiles, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out"
    words = ["segment", str(mosaic), "-o", str(output), "--model", str(tiny_model), "--by-tile", "--diameter", "20"]
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, *words], check=False)
    assert killed.returncode == -9
    assert [path.name for path in output.iterdir()] == ["mosaic_labels.tif.unfinished"], "no label image is there yet"
    calls = []
    predict = OnnxModel.predict

    def counted(self, batch):
        calls.append(1)
        return predict(self, batch)

    monkeypatch.setattr(OnnxModel, "predict", counted)
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "3 of 20, done by an earlier run" in said
    assert len(calls) == 17, "the three tiles that were done are not predicted again"
    assert [path.name for path in output.iterdir()] == ["mosaic_labels.tif"]
    assert segment(mosaic, "-o", tmp_path / "whole", "--model", tiny_model, "--diameter", 20) == 0
    np.testing.assert_array_equal(
        tifffile.imread(str(output / "mosaic_labels.tif")),
        tifffile.imread(str(tmp_path / "whole" / "mosaic_labels.tif")),
    )


def test_what_is_left_of_another_image_is_not_used(mosaic, field, tiny_model, small_tiles, tmp_path, monkeypatch):
    predict, calls = OnnxModel.predict, []

    def interrupted(self, batch):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(self, batch)

    words = (mosaic, "-o", tmp_path / "out", "--model", tiny_model, "--by-tile", "--diameter", "20")
    with monkeypatch.context() as patch:
        patch.setattr(OnnxModel, "predict", interrupted)
        with pytest.raises(KeyboardInterrupt):
            segment(*words)
    assert (tmp_path / "out" / "mosaic_labels.tif.unfinished").is_dir()
    tifffile.imwrite(str(mosaic), field[::-1].copy(), tile=(128, 128), compression="zlib")
    assert segment(*words) == 0
    assert segment(mosaic, "-o", tmp_path / "whole", "--model", tiny_model, "--diameter", "20") == 0
    np.testing.assert_array_equal(
        tifffile.imread(str(tmp_path / "out" / "mosaic_labels.tif")),
        tifffile.imread(str(tmp_path / "whole" / "mosaic_labels.tif")),
    )


def test_a_folder_of_that_name_that_is_the_users_stays(mosaic, tiny_model, tmp_path, capsys):
    folder = tmp_path / "out" / "mosaic_labels.tif.unfinished"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    assert segment(mosaic, "-o", tmp_path / "out", "--model", tiny_model, "--by-tile") == 1
    assert "no folder of an unfinished run" in capsys.readouterr().err
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_large_tiff_goes_by_tile_without_being_asked(mosaic, tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(segment_mosaic_file, "BY_TILE_ABOVE_PX", 420 * 530 - 1)
    assert segment(mosaic, "-o", tmp_path / "out", "--model", tiny_model) == 0
    assert "by tile" in capsys.readouterr().err
    assert not (tmp_path / "out" / "mosaic_overlay.png").exists()


def test_a_disk_that_is_too_small_is_said_first(mosaic, tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    assert segment(mosaic, "-o", tmp_path / "out", "--model", tiny_model, "--by-tile") == 1
    assert "are free. Free some space" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_an_image_of_other_channels_leaves_nothing(tiny_model, tmp_path, capsys):
    path = tmp_path / "two.ome.tif"
    tifffile.imwrite(str(path), np.zeros((2, 60, 70), np.uint8), metadata={"axes": "CYX"})
    assert segment(path, "-o", tmp_path / "out", "--model", tiny_model, "--by-tile") == 1
    assert f"FAILED {path}: The image has 2 channels" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
