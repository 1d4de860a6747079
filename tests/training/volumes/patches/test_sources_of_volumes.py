from dataclasses import replace

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.data.labeled_images import object_diameters
from cpunet.training.volumes.config import VolumeSource
from cpunet.training.volumes.facts import volume_facts
from cpunet.training.volumes.patches.sources import read_volume_sources, resolved, validation_volumes
from cpunet.training.volumes.patches.stream import VolumeStream
from tests.labeled_volumes import drawn_volume, write_rows
from tests.synthetic_data_set import write_data_set
from tests.training.volumes.conftest import SIZES


def test_the_z_step_and_the_flat_levels_are_those_of_the_data(volume_config, volume_root):
    config = resolved(volume_config, volume_root)
    assert config.z_step_px == 2.0
    assert config.architecture.flat_levels == 0
    far = replace(volume_config, z_step_px=5.0)
    assert resolved(far, volume_root).architecture.flat_levels == 2
    assert resolved(config, volume_root) == config


def test_volumes_keep_their_grid_where_nothing_asks_for_another(volume_config, volume_root):
    (source,) = read_volume_sources(resolved(volume_config, volume_root), volume_root)
    assert [patch.image.shape for patch in source.patches] == [(1, 8, 30, 32)] * 2
    labels = drawn_volume(0)[1]
    np.testing.assert_array_equal(source.patches[0].labels, labels)
    bright, dark = (source.patches[0].image[0][labels > 0].mean(), source.patches[0].image[0][labels == 0].mean())
    assert bright > 0.7 > 0.3 > dark


def test_volumes_are_resampled_to_the_z_step_and_the_diameter(volume_config, volume_root):
    config = resolved(replace(volume_config, z_step_px=1.0), volume_root)
    (source,) = read_volume_sources(config, volume_root)
    assert source.patches[0].labels.shape == (16, 30, 32)
    facts = volume_facts(config, [source])
    assert facts["data"][0]["z_step_px"] == 2.0
    twice = replace(config, diameter_px=2 * source.diameter_px)
    (larger,) = read_volume_sources(twice, volume_root)
    assert larger.patches[0].labels.shape == (32, 60, 64)
    assert volume_facts(twice, [larger])["diameter_px"] == pytest.approx(2 * facts["diameter_px"], rel=0.1)


def test_planes_that_nobody_labeled_weigh_nothing(volume_config, volume_root):
    rows = [{"id": name, "split": "train", "labeled_planes": "3", **SIZES} for name in "ab"]
    write_rows(volume_root / "balls", [*rows, {"id": "c", "split": "val", **SIZES}])
    config = resolved(volume_config, volume_root)
    (source,) = read_volume_sources(config, volume_root)
    assert np.unique(np.nonzero(source.patches[0].labels >= 0)[0]).tolist() == [2]
    # of discs in the plane that is labeled, not of balls of one plane
    assert source.diameter_px == np.median(object_diameters(drawn_volume(0)[1][2]))
    assert volume_facts(config, [source])["diameter_px"] == pytest.approx(source.diameter_px, abs=0.1)
    still = replace(config.augmentation, warp_fraction=0.0)
    stream = VolumeStream([source.patches], replace(config, augmentation=still), 0, 8)
    for index in range(8):
        _, targets, weights = stream[index]
        known = weights[0] > 0
        assert known.any(dim=(1, 2)).sum() == 1
        np.testing.assert_array_equal(known.numpy(), stream.patch(index).labels >= 0)
        assert targets.shape == (2, 8, 24, 24)


def test_images_are_volumes_of_one_plane_that_is_repeated(volume_config, volume_root):
    write_data_set(volume_root / "drawn", ["train"] * 2)
    both = replace(volume_config, data=(*volume_config.data, VolumeSource("drawn", dimensions=2)))
    config = resolved(both, volume_root)
    volumes, images = read_volume_sources(config, volume_root)
    assert images.z_step_px is None
    assert images.patches[0].labels.shape[0] == 1
    still = replace(config.augmentation, warp_fraction=0.0)
    stream = VolumeStream([images.patches] * 2, replace(config, augmentation=still), 0, 3)
    image, targets, _ = stream[1]
    assert (image == image[:, :1]).all()
    assert (targets == targets[:, :1]).all()
    assert targets[0].any()
    facts = volume_facts(config, [volumes, images])
    assert [each["z_step_px"] for each in facts["data"]] == [2.0, None]
    assert facts["diameter_px"] == volume_facts(replace(config, data=config.data[:1]), [volumes])["diameter_px"]
    assert [len(rows) for rows in validation_volumes(config, volume_root)] == [1, 0]


def test_items_are_the_same_whenever_they_are_asked_for(volume_config, volume_root):
    config = resolved(volume_config, volume_root)
    patches = [source.patches for source in read_volume_sources(config, volume_root)]
    later, whole = VolumeStream(patches, config, 4, 8), VolumeStream(patches, config, 0, 8)
    for one, same in zip(later[1], whole[5], strict=True):
        np.testing.assert_array_equal(one.numpy(), same.numpy())


def test_a_missing_split_is_named(volume_config, volume_root):
    write_rows(volume_root / "balls", [{"id": name, "split": "train", **SIZES} for name in "abc"])
    with pytest.raises(DataError, match="no volume has the split 'val'"):
        validation_volumes(volume_config, volume_root)


def test_volumes_of_other_channels_are_refused_by_name(volume_config, volume_root):
    config = resolved(replace(volume_config, channels=("dna", "membrane")), volume_root)
    with pytest.raises(DataError, match=r"^balls: a: The stack has the shape .* 1 channel, and the model takes 2"):
        read_volume_sources(config, volume_root)
