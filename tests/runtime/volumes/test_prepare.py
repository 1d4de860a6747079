import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.model.card import card_from_content
from cpunet.volumes.prepare import prepare_volume
from tests.tiny_volumes import VOLUME_CARD, changed_volume_card

CARD = card_from_content(VOLUME_CARD).input
VOLUME = np.random.default_rng(0).gamma(2, 100, (6, 60, 70)).astype(np.float32)
VOLUME[3:] *= 5  # planes of other brightness


def test_the_volume_is_normalized_as_a_whole():
    channels, usable, notes = prepare_volume(VOLUME, CARD)
    low, high = np.percentile(VOLUME, [1, 99.8])
    np.testing.assert_allclose(channels[0], np.clip((VOLUME - low) / (high - low), -1, 8), atol=0.01)
    assert (channels.shape, channels.dtype, usable, notes) == ((1, 6, 60, 70), np.float32, None, ())


def test_a_mask_of_one_plane_or_of_all_leaves_voxels_out():
    volume, mask = VOLUME.copy(), np.zeros((60, 70), bool)
    mask[10:50, 5:60] = True
    volume[:, ~mask] = 1e6
    for given in (mask, np.broadcast_to(mask, VOLUME.shape)):
        channels, usable, _ = prepare_volume(volume, CARD, given)
        np.testing.assert_array_equal(usable, np.broadcast_to(mask, VOLUME.shape))
        assert not channels[0][~usable].any()
        assert channels.max() > 0.9
    with pytest.raises(ImageError, match="must be a plane of"):
        prepare_volume(VOLUME, CARD, mask[:5])


def test_voxels_that_are_not_finite_are_filled_in_their_plane():
    volume = VOLUME.copy()
    volume[2, 20:40, 20:40] = np.nan
    volume[4, 7, :] = np.inf
    volume[5] = np.nan
    channels, usable, _ = prepare_volume(volume, CARD)
    assert np.isfinite(channels).all()
    assert not usable[2, 20:40, 20:40].any()
    assert usable[4].all()  # a line of a camera counts as measured
    assert not usable[5].any()
    np.testing.assert_array_equal(channels[0, 5], channels[0, 4])
    inside, around = channels[0, 2, 22:38, 22:38], channels[0, 2, 45:60, 20:60]
    assert 0.5 * around.mean() < inside.mean() < 2 * around.mean()


def test_black_planes_around_a_registered_volume_are_padding():
    volume = np.zeros((8, 80, 90), np.float32)
    volume[2:6, :, 20:] = 100 + np.random.default_rng(1).gamma(2, 50, (4, 80, 70))
    channels, usable, notes = prepare_volume(volume, CARD)
    assert not usable[[0, 1, 6, 7]].any()
    assert usable[2:6, :, 20:].all()
    assert "padding" in notes[0]
    assert channels.min() > -0.5


def test_several_channels_come_first():
    card = card_from_content(changed_volume_card(input={"channels": ["nuclei", "membranes"]})).input
    channels, _, _ = prepare_volume(np.stack([VOLUME, VOLUME[::-1]], axis=-1), card)
    np.testing.assert_array_equal(channels[1], channels[0][::-1])


def test_what_is_no_volume_is_refused():
    with pytest.raises(ImageError, match="planes, rows and columns are needed"):
        prepare_volume(VOLUME[0], CARD)
