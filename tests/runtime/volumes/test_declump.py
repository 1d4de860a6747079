from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.model.card import Postprocessing
from cpunet.steps.declump import declump
from cpunet.steps.seeds import Declumping
from cpunet.volumes import clumps
from cpunet.volumes.declump import declump_volume
from tests.tiny_volumes import balls

PLAIN = Postprocessing()
TOUCHING = ((8, 20, 20), (8, 20, 36), (12, 50, 30), (5, 50, 60))


def truth_of(centers=TOUCHING, shape=(20, 70, 80), diameter_px=18, z_step_px=2.0):
    return balls(shape, centers, diameter_px, z_step_px)[1]


def distance_of(labels, z_step_px=2.0):
    """Return the distance to the edge of each object, 1 at most: what the role `distance` learns."""
    found = np.zeros(labels.shape, np.float32)
    for number in range(1, labels.max() + 1):
        distance = ndimage.distance_transform_edt(np.pad(labels == number, 1), sampling=(z_step_px, 1, 1))[
            1:-1, 1:-1, 1:-1
        ]
        found = np.maximum(found, distance / distance.max())
    return found.astype(np.float32)


def test_touching_objects_are_separated_by_their_distance():
    truth = truth_of()
    probabilities = np.stack([(truth > 0).astype(np.float32), distance_of(truth)])
    found = declump_volume(probabilities, ("foreground", "distance"), PLAIN, 2.0)
    assert found.dtype == np.int32
    assert found.max() == truth.max() == 4
    np.testing.assert_array_equal(found > 0, truth > 0)
    together = ndimage.label(truth)[1]
    assert together < 4
    for number in range(1, 5):
        counts = np.bincount(found[truth == number])
        assert counts.max() > 0.97 * counts.sum()


def test_interior_and_boundary_make_objects():
    truth = truth_of()
    interior = np.zeros(truth.shape, bool)
    for number in range(1, 5):
        interior |= ndimage.binary_erosion(truth == number, iterations=2)
    probabilities = np.stack([interior, (truth > 0) & ~interior]).astype(np.float32)
    found = declump_volume(probabilities, ("interior", "boundary"), PLAIN, 2.0)
    assert found.max() == 4
    np.testing.assert_array_equal(found > 0, truth > 0)


def test_a_region_with_one_seed_or_none_stays_whole_and_only_clumps_are_flooded(monkeypatch):
    truth, seen = truth_of(), []
    flood = clumps.flood
    monkeypatch.setattr(clumps, "flood", lambda *each: seen.append(each[0].shape) or flood(*each))
    probabilities = np.stack([(truth > 0).astype(np.float32), distance_of(truth)])
    probabilities[1][truth == 4] = 0
    found = declump_volume(probabilities, ("foreground", "distance"), PLAIN, 2.0)
    assert (found > 0).sum() == (truth > 0).sum()
    assert len(np.unique(found[truth == 4])) == 1
    assert len(seen) == 1  # of the clump of two alone
    assert np.prod(seen[0]) < truth.size / 5


def test_the_clump_is_divided_as_by_a_watershed_of_the_whole_volume():
    truth = truth_of()
    distance = distance_of(truth)
    found = declump_volume(np.stack([(truth > 0).astype(np.float32), distance]), ("foreground", "distance"), PLAIN, 2.0)
    markers, _ = ndimage.label(distance > 0.5)
    whole = watershed(-distance, markers, mask=truth > 0)
    for number in range(1, 5):
        own = truth == number
        of_found, of_whole = (np.bincount(labels[own]).argmax() for labels in (found, whole))
        assert ((found == of_found) == (whole == of_whole)).mean() > 0.999


def test_one_plane_is_decoded_as_an_image_is():
    drawn = np.random.default_rng(3)
    foreground = ndimage.gaussian_filter(drawn.random((80, 90)), 4)
    foreground = ((foreground - foreground.min()) / np.ptp(foreground)).astype(np.float32)
    settings = replace(PLAIN, marker_threshold=0.7, min_size_px=20, marker_min_size_px=3)
    planar = declump(foreground[np.newaxis], ("foreground",), settings)
    found = declump_volume(foreground[np.newaxis, np.newaxis], ("foreground",), settings, 2.0)
    np.testing.assert_array_equal(found[0], planar)


@pytest.mark.parametrize("method", ["shape", "intensity", "none"])
def test_other_methods_of_declumping(method):
    truth = truth_of()
    image = distance_of(truth)[np.newaxis]
    how = Declumping(method, smoothing_px=4, min_distance_px=6)
    found = declump_volume((truth > 0).astype(np.float32)[np.newaxis], ("foreground",), PLAIN, 2.0, how, image=image)
    assert found.max() == (ndimage.label(truth)[1] if method == "none" else 4)


def test_objects_that_are_darker_than_the_background_are_separated_by_intensity_too():
    truth = truth_of()
    foreground, how = (truth > 0).astype(np.float32)[np.newaxis], Declumping("intensity", 4, 6)
    dark = 1 - distance_of(truth)[np.newaxis]
    assert declump_volume(foreground, ("foreground",), PLAIN, 2.0, how, image=dark).max() == 4
    with pytest.raises(ValueError, match="their image is needed"):
        declump_volume(foreground, ("foreground",), PLAIN, 2.0, how)


def test_lengths_are_physical():
    centers = ((3, 12, 12), (6, 12, 12))  # one above the other, 15 pixels apart
    truth = truth_of(centers, (11, 25, 25), diameter_px=18, z_step_px=5.0)
    foreground = (truth > 0).astype(np.float32)[np.newaxis]
    near, far = (Declumping("shape", 0, distance) for distance in (14, 17))
    assert declump_volume(foreground, ("foreground",), PLAIN, 5.0, near).max() == 2
    assert declump_volume(foreground, ("foreground",), PLAIN, 5.0, far).max() == 1


def test_smoothing_and_distance_join_seeds_found_by_probability():
    truth = truth_of(((8, 30, 30),), (16, 60, 60), 24)
    score = distance_of(truth)
    score[:, :, 29:32] *= 0.4  # a groove in one object
    probabilities = np.stack([(truth > 0).astype(np.float32), score])
    roles = ("foreground", "distance")
    assert declump_volume(probabilities, roles, PLAIN, 2.0).max() == 2
    for how in (Declumping(smoothing_px=8), Declumping(min_distance_px=15)):
        assert declump_volume(probabilities, roles, PLAIN, 2.0, how).max() == 1


def test_small_seeds_and_small_objects_are_dropped_and_numbers_have_no_gaps():
    truth = truth_of()
    distance = distance_of(truth)
    distance[truth == 3] = np.minimum(distance[truth == 3], 0.5)
    distance[12, 47, 30] = distance[12, 53, 30] = 0.9  # two specks in one object
    foreground = (truth > 0).astype(np.float32)
    foreground[0, 0, :5] = 1
    probabilities = np.stack([foreground, distance])
    roles = ("foreground", "distance")
    assert declump_volume(probabilities, roles, PLAIN, 2.0).max() == 6
    found = declump_volume(probabilities, roles, replace(PLAIN, marker_min_size_px=2, min_size_px=6), 2.0)
    assert np.unique(found).tolist() == [0, 1, 2, 3, 4]


def test_nothing_lies_outside_of_what_is_usable():
    truth = truth_of()
    usable = np.ones(truth.shape, bool)
    usable[:, :, 28:31] = False
    settings = replace(PLAIN, dilation_px=2, fill_holes=True)
    found = declump_volume((truth > 0).astype(np.float32)[np.newaxis], ("foreground",), settings, 2.0, usable=usable)
    assert not found[~usable].any()
    assert (found > 0).sum() > ((truth > 0) & usable).sum()


def test_holes_are_filled_before_and_after_as_asked():
    truth = truth_of()
    foreground = (truth > 0).astype(np.float32)[np.newaxis]
    foreground[0, 12, 50, 30] = foreground[0, 5, 49:52, 59:62] = 0
    roles = ("foreground",)
    none = Declumping("none")
    assert (declump_volume(foreground, roles, PLAIN, 2.0, none) > 0).sum() == (foreground > 0).sum()
    filled = declump_volume(foreground, roles, replace(PLAIN, fill_holes=True), 2.0, none)
    np.testing.assert_array_equal(filled > 0, truth > 0)
    small = declump_volume(foreground, roles, PLAIN, 2.0, replace(none, fill_before_px=5))
    assert small[12, 50, 30] > 0
    assert not small[5, 49:52, 59:62].any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 5), (3, 2, 2)])
def test_volumes_without_objects_and_full_of_one(shape):
    for value, objects in ((0.0, 0), (1.0, 1)):
        probabilities = np.full((1, *shape), value, np.float32)
        for method in ("probability", "shape", "none"):
            assert declump_volume(probabilities, ("foreground",), PLAIN, 2.0, Declumping(method)).max() == objects
