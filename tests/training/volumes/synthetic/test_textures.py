import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.data.index import read_table, write_table
from cpunet.training.volumes.synthetic.textures import PATCH_PX, read_textures, texture_of_volume


def test_textures_are_those_of_whole_nuclei_to_train_on(flat_set):
    textures = read_textures([flat_set], seed=1)
    assert textures.shape[1:] == (PATCH_PX, PATCH_PX)
    assert 1 <= len(textures) <= 16
    assert textures.mean(axis=(1, 2)) == pytest.approx(1, abs=0.1)
    # The stripes run down, 3.9 pixels apart: columns differ, rows do not.
    across = (textures.mean(axis=1)).std(axis=1)
    along = (textures.mean(axis=2)).std(axis=1)
    assert (across > 2 * along).all()
    np.testing.assert_array_equal(read_textures([flat_set], seed=1), textures)


def test_a_set_without_a_nucleus_to_train_on_is_named(flat_set, tmp_path):
    folder = tmp_path / "none"
    folder.mkdir()
    for sub in ("images", "labels"):
        (folder / sub).symlink_to(flat_set / sub)
    table = read_table(flat_set)
    write_table(folder, table.fields, [{**row, "split": "val"} for row in table.rows])
    with pytest.raises(DataError, match=r"none: none of its 0 fluorescence images to train on"):
        read_textures([folder], seed=1)


def test_real_textures_lie_in_a_volume_and_their_mixture_between_them():
    textures = np.random.default_rng(1).normal(1, 0.2, (5, PATCH_PX, PATCH_PX)).astype(np.float32)
    volume = texture_of_volume(textures, (21, PATCH_PX, PATCH_PX), 3, np.random.default_rng(2))
    sides = [side for each in textures for side in (each, each[:, ::-1])]
    turned = [np.rot90(side, turns) for side in sides for turns in range(4)]
    real = [plane for plane in range(21) if any(np.allclose(volume[plane], each, atol=1e-5) for each in turned)]
    assert real == [0, 10, 20]
    # Between two that have nothing in common, the deviation stays.
    assert volume.std(axis=(1, 2)) == pytest.approx(0.2, abs=0.02)
