"""Boundaries alone give the right objects where nuclei part the background."""

import numpy as np
import pytest
from scipy import ndimage

from cpunet.model.card import Postprocessing
from cpunet.scores import pool_scores, score_image
from cpunet.steps.background import background_regions
from cpunet.steps.declump import declump
from cpunet.steps.rims import rims_of
from tests.parted_fields import DRAWN, LIT, Field, fields, nuclei, rims, ring, row_of_ten, seen

FIELDS = dict(fields())


def found_in(field, width_px=2, boundary=None, usable=None, channels=None):
    """Decode the boundaries of a perfect model, or others, in a field."""
    boundary = rims(field.labels, width_px).astype(np.float32) if boundary is None else boundary
    image = field.image[np.newaxis] if channels is None else channels
    # A wide boundary leaves single pixels of background where two nuclei meet, which grow.
    settings = Postprocessing(dilation_px=width_px / 2, fill_holes=True, min_size_px=80)
    return declump(boundary[np.newaxis], ("boundary",), settings, usable=usable, image=image)


@pytest.mark.parametrize("width_px", [2, 4, 6, 8])
@pytest.mark.parametrize("name", FIELDS)
def test_each_field_has_the_right_count(name, width_px):
    field = FIELDS[name]
    labels = found_in(field, width_px)
    assert labels.max() == len(np.unique(field.labels)) - 1
    assert pool_scores([score_image(field.labels, labels)]).f1[0.5] == 1


def test_the_fields_are_what_they_are_called():
    assert row_of_ten()[60].all(), "the row leaves no way from above to below"
    pieces = {name: ndimage.label(draw() == 0)[1] for name, draw in DRAWN.items()}
    assert pieces["ten in a row"] == 2
    assert pieces["islands"] >= 8
    assert pieces["a ring"] == 2
    assert pieces["one large nucleus"] == 2
    assert np.mean(DRAWN["almost filled"]() > 0) > 0.95


@pytest.mark.parametrize("light", LIT)
def test_a_field_without_a_nucleus_has_no_object(light):
    nothing = np.zeros((120, 300), np.int32)
    assert not found_in(Field(LIT[light](seen(nothing)), nothing)).any()


def test_ten_in_a_row_had_an_eleventh_by_the_largest_region():
    """The sources' rule, for comparison: all but the largest region."""
    regions = ndimage.label(~rims(row_of_ten()))[0]
    areas = np.bincount(regions.ravel())[1:]
    assert len(areas) - 1 == 11
    assert sorted(areas)[-2] > 9000


@pytest.mark.parametrize("light", LIT)
@pytest.mark.parametrize("shift", range(3))
def test_brightness_in_one_of_several_channels_is_enough(light, shift):
    """The others hold noise, or membranes that are bright on all boundaries."""
    labels = ring()
    noise = np.random.default_rng(1).normal(0.3, 0.05, labels.shape)
    membranes = ndimage.gaussian_filter(rims(labels, 4).astype(float), 1)
    planes = [LIT[light](seen(labels)), noise, membranes]
    channels = np.stack(planes[shift:] + planes[:shift]).astype(np.float32)
    assert found_in(Field(channels, labels), 2, channels=channels).max() == 12


def test_membranes_alone_leave_it_to_size():
    """Cells of which only the membrane is stained are as dark as the background, which is much larger."""
    labels = nuclei([(60, 100), (60, 126), (40, 200)], 15)
    image = ndimage.gaussian_filter(rims(labels, 2).astype(float), 1).astype(np.float32)
    assert found_in(Field(image, labels)).max() == 3


def test_roughness_tells_cells_that_are_as_bright_as_their_surroundings():
    """As in phase contrast: a bright halo around each, and a texture inside."""
    labels = row_of_ten()
    rng = np.random.default_rng(3)
    texture = np.where(labels > 0, ndimage.gaussian_filter(rng.normal(0, 1, labels.shape), 1) * 0.4, 0)
    image = 0.5 + texture + 0.4 * rims(labels, 2) + rng.normal(0, 0.01, labels.shape)
    assert found_in(Field(image.astype(np.float32), labels)).max() == 10


@pytest.mark.parametrize("seed", range(3))
def test_without_any_background_one_object_is_lost_and_not_all_that_are_darker(seed):
    """Cells that touch on all sides: no rule can know that there is no background."""
    labels = nuclei([(8 + 26 * row, 10 + 30 * number + 15 * (row % 2)) for row in range(5) for number in range(10)], 60)
    found = found_in(Field(seen(labels, seed=seed), labels))
    assert (labels > 0).all()
    assert found.max() == 49


def test_a_dim_nucleus_beside_bright_ones_is_an_object():
    labels = nuclei([(60, 100), (60, 126), (60, 152), (36, 126)], 14)
    image = seen(labels, [0.9, 0.2, 0.9, 0.9])
    assert found_in(Field(image, labels)).max() == 4


@pytest.mark.parametrize("darker", [0.6, 0.2])
def test_a_nucleolus_is_part_of_its_nucleus(darker):
    labels = nuclei([(60, 100), (60, 180)], 20)
    image = seen(labels)
    image[54:64, 94:104] *= darker
    boundary = rims(labels)
    boundary |= rims(np.pad(np.ones((12, 12), np.int32), ((53, 55), (93, 195))))
    labels = found_in(Field(image, labels), boundary=boundary.astype(np.float32))
    assert labels.max() == 2
    assert labels[59, 99] == labels[59, 85], "it is filled"


@pytest.mark.parametrize("light", LIT)
def test_what_is_masked_out_parts_nothing_and_is_no_side(light):
    """The mask cuts the field into two halves, and hides a bright bar beside it."""
    labels = row_of_ten()
    image = seen(labels)
    image[:, 148:152] = 5
    usable = np.ones(labels.shape, bool)
    usable[:, 148:152] = False
    labels[:, 148:152] = 0
    boundary = rims(labels)
    boundary[:, 146:154] = rims(row_of_ten())[:, 146:154]
    found = found_in(Field(LIT[light](image), labels), boundary=boundary.astype(np.float32), usable=usable)
    assert found.max() == 10
    assert not found[:, 148:152].any()


def test_a_turned_or_mirrored_field_has_the_same_objects():
    field = FIELDS["islands, uneven"]
    expected = found_in(field) > 0
    for turns in range(4):
        for flipped in (False, True):

            def moved(plane, turns=turns, flipped=flipped):
                return np.ascontiguousarray(np.rot90(plane[:, ::-1] if flipped else plane, turns))

            labels = found_in(Field(moved(field.image), moved(field.labels)))
            np.testing.assert_array_equal(labels > 0, moved(expected))


@pytest.mark.parametrize("seed", range(5))
def test_boundaries_as_a_network_draws_them_give_no_piece_of_background(seed):
    """Soft, uneven, with specks and gaps: an object may be lost by a gap, but no background becomes one."""
    field = FIELDS["islands, even"]
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rims(field.labels, 4).astype(float), 1) * rng.uniform(0.7, 1.3, field.labels.shape)
    soft += 0.7 * (rng.random(field.labels.shape) > 0.999)
    labels = found_in(field, 4, np.clip(soft, 0, 1).astype(np.float32))
    areas, of_background = (
        np.bincount(labels.ravel()),
        np.bincount(labels[field.labels == 0], minlength=labels.max() + 1),
    )
    assert not ((of_background > areas / 2) & (areas > 40))[1:].any()
    assert labels.max() >= 30


def test_regions_without_a_boundary_between_them():
    """Alone, or too far apart to be compared: the largest is background."""
    regions = np.zeros((100, 300), np.int32)
    image = np.ones((1, 100, 300), np.float32)
    assert background_regions(np.array([0]), rims_of(regions, image)).tolist() == [False]
    regions[:, :100] = 1
    assert background_regions(np.array([0, 10_000]), rims_of(regions, image)).tolist() == [False, True]
    regions[:50, 250:] = 2
    assert background_regions(np.array([0, 10_000, 2500]), rims_of(regions, image)).tolist() == [False, True, False]
