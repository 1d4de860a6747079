import pytest

from cpunet.errors import ImageError, OptionError
from cpunet.model.card import card_from_content
from cpunet.options import Options
from cpunet.volumes import spacing
from cpunet.volumes.spacing import planes_factor, refuse_more_than_memory, seen_shape, z_step_of
from tests.tiny_volumes import VOLUME_CARD

CARD = card_from_content(VOLUME_CARD)  # trained on planes that lie 2 pixels apart


def test_without_a_z_step_it_is_the_models_own():
    assert z_step_of(CARD.input, Options()) == 2
    assert z_step_of(CARD.input, Options(z_step_px=5)) == 5
    assert planes_factor(CARD.input, Options(), 1.0) == 1


@pytest.mark.parametrize(
    ("step", "scale", "factor"), [(4, 1, 2), (1, 1, 0.5), (4, 0.5, 1), (2, 0.25, 0.25), (2.15, 1, 1), (2.3, 1, 1.15)]
)
def test_planes_are_multiplied_until_their_distance_is_the_models(step, scale, factor):
    assert planes_factor(CARD.input, Options(z_step_px=step), scale) == pytest.approx(factor)


def test_a_z_step_too_far_from_the_models_is_refused():
    with pytest.raises(OptionError, match=r"lie 50 pixels apart, and the model knows 2\. At most 16 times"):
        planes_factor(CARD.input, Options(z_step_px=50), 1.0)


def test_a_scale_that_is_measured_is_never_refused_for_the_z_step():
    assert planes_factor(CARD.input, Options(z_step_px=0.5), 1 / 16) == pytest.approx(1 / 64)


def test_one_plane_stays_one_and_none_becomes_no_plane():
    assert seen_shape((1, 10, 10), 2.0, 4.0) == (1, 20, 20)
    assert seen_shape((3, 10, 10), 0.01, 0.1) == (1, 1, 1)


def test_a_volume_is_not_enlarged_beyond_the_memory(monkeypatch):
    monkeypatch.setattr(spacing, "bytes_at_hand", lambda: 10**6)
    refuse_more_than_memory((500, 500, 500), (250, 500, 500), CARD)  # smaller than what is in the memory already
    with pytest.raises(ImageError, match=r"enlarged to 100 x 100 x 100, which takes at least 0\.0 GB.*Crop the"):
        refuse_more_than_memory((50, 100, 100), (100, 100, 100), CARD)
