from dataclasses import replace

import numpy as np

from cpunet.model.card import Postprocessing
from cpunet.options import Options
from cpunet.steps.outlines import outlines_as_asked
from cpunet.volumes.outlines import outlines_in_planes
from tests.tiny_volumes import balls

VOLUME, LABELS = balls((16, 60, 60), ((4, 20, 20), (8, 40, 40)), 20)
PLAIN = Postprocessing()


def test_nothing_is_drawn_unless_it_is_asked_for():
    assert outlines_in_planes(LABELS, VOLUME, None, PLAIN, Options(), 0.3) is LABELS


def test_the_cards_shift_moves_outlines_within_the_planes_and_keeps_the_numbers():
    drawn = outlines_in_planes(LABELS, VOLUME, None, replace(PLAIN, outline_shift_px=2), Options(), 1.0)
    np.testing.assert_array_equal(drawn[LABELS > 0], LABELS[LABELS > 0])
    assert (drawn > 0).sum() > 1.2 * (LABELS > 0).sum()
    np.testing.assert_array_equal((drawn > 0).any(axis=(1, 2)), (LABELS > 0).any(axis=(1, 2)))


def test_each_plane_is_drawn_as_an_image_is():
    options = Options(outline_level=0.3)
    drawn = outlines_in_planes(LABELS, VOLUME, None, PLAIN, options, 1.0)
    alone = outlines_as_asked(LABELS[3], VOLUME[3], None, PLAIN, options, 1.0)
    np.testing.assert_array_equal(drawn[3], alone)
    assert not np.array_equal(drawn[3], LABELS[3])
