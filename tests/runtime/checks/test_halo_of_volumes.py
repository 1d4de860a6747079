from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

from cpunet.checks.halo_of_volumes import LARGEST_FIELD, measure_halo_of_volumes, reach_in_volumes
from cpunet.model.card import card_from_content
from tests.tiny_volumes import VOLUME_CARD

GIVEN = card_from_content(VOLUME_CARD).input  # multiples of 2 planes and 4 pixels


def sees(batch, planes=5, side=21):
    """Average so many planes and so many pixels a side."""
    return 10 * scipy.ndimage.uniform_filter(batch, (1, 1, planes, side, side))


def test_the_halo_along_z_is_another_than_that_along_y_and_x():
    assert reach_in_volumes(sees, GIVEN) == (2, 10)
    assert measure_halo_of_volumes(sees, GIVEN) == (4, 12)  # one more, rounded up


def test_a_network_that_sees_each_plane_by_itself_needs_next_to_no_planes():
    assert reach_in_volumes(lambda batch: sees(batch, planes=1), GIVEN) == (0, 10)


@pytest.mark.parametrize(("planes", "side"), [(17, 5), (5, 81)])
def test_a_network_that_sees_farther_than_the_first_field_is_tried_in_a_larger_one(planes, side):
    found = reach_in_volumes(lambda batch: 50 * sees(batch, planes, side), GIVEN)
    assert found == (planes // 2, side // 2)


def test_a_halo_is_found_on_nuclei_where_a_network_sees_nothing_in_noise():
    def blind_in_noise(batch):
        return np.zeros_like(batch) if np.median(batch) > 0.2 else sees(batch, planes=7)

    halo = measure_halo_of_volumes(blind_in_noise, GIVEN)
    assert halo.planes >= 4
    assert halo.px >= 8


def test_a_network_that_looks_everywhere_ends_within_the_largest_field():
    planes, px = reach_in_volumes(lambda batch: np.full_like(batch, batch.std() * 1e5), GIVEN)
    assert (planes, px) == tuple(size // 2 for size in LARGEST_FIELD)


def test_fields_are_of_sizes_that_the_network_takes():
    given = replace(GIVEN, divisible_by=12, divisible_by_planes=3, min_planes=5)

    def divisible(batch):
        assert batch.shape[2] % 3 == 0
        assert batch.shape[2] >= 6
        assert batch.shape[3] % 12 == batch.shape[4] % 12 == 0
        return sees(batch)

    assert measure_halo_of_volumes(divisible, given) == (3, 12)
