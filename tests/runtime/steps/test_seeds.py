import numpy as np
import pytest
from scipy import ndimage

from cpunet.model.card import Postprocessing
from cpunet.steps.clumps import split_regions
from cpunet.steps.declump import BY_PROBABILITY, declump, probabilities_by_role
from cpunet.steps.filters import relabel
from cpunet.steps.runs import painted, runs_of
from cpunet.steps.seeds import (
    Declumping,
    brightness_of_objects,
    distance_to_edge,
    keep_apart,
    marker_score,
    peaks,
    smoothed,
)

SETTINGS = Postprocessing(0.5, 0.5)


def random_field(seed=0, shape=(40, 50)):
    """A rough score, and the connected regions of its upper two thirds."""
    rng = np.random.default_rng(seed)
    score = ndimage.gaussian_filter(rng.standard_normal(shape), 2).astype(np.float32)
    regions, _ = ndimage.label(score > np.percentile(score, 33), output=np.int32)
    return score, regions


def discs(middles, radius, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.min([np.hypot(y - my, x - mx) for my, mx in middles], axis=0) < radius


def split(mask, how, image=None, settings=SETTINGS):
    channels = None if image is None else image[np.newaxis]
    return declump(mask[np.newaxis].astype(np.float32), ("foreground",), settings, how, image=channels)


def brute_force_peaks(score, regions):
    """Flood each level top; it is a peak if nothing around it in its region is higher."""
    found, seen = set(), np.zeros(score.shape, bool)
    for start in zip(*np.nonzero(regions)):
        if seen[start]:
            continue
        top, front, highest = set(), [start], True
        while front:
            y, x = front.pop()
            if (y, x) in top:
                continue
            top.add((y, x))
            for ny in range(max(0, y - 1), min(score.shape[0], y + 2)):
                for nx in range(max(0, x - 1), min(score.shape[1], x + 2)):
                    if regions[ny, nx] != regions[start]:
                        continue
                    if score[ny, nx] == score[start]:
                        front.append((ny, nx))
                    highest &= score[ny, nx] <= score[start]
        for pixel in top:
            seen[pixel] = True
        if highest:
            found.add(frozenset((int(y), int(x)) for y, x in top))
    return found


@pytest.mark.parametrize("steps", [1000, 4], ids=["rough", "level tops"])
def test_peaks_equal_brute_force(steps):
    score, regions = random_field()
    score = np.round(score * steps).astype(np.float32)
    regions, _ = ndimage.label(regions > 0, np.ones((3, 3)), output=np.int32)  # no region meets another
    markers = peaks(score, regions)
    found = {frozenset(zip(*(axis.tolist() for axis in np.nonzero(markers == n)))) for n in range(1, markers.max() + 1)}
    assert len(found) > 5
    assert found == brute_force_peaks(score, regions)


def test_a_level_top_that_crosses_a_corner_is_one_in_each_region():
    regions = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]], np.int32)
    markers = peaks(np.ones((4, 4), np.float32), regions)
    assert np.unique(markers[regions == 1]).tolist() == [1]
    assert np.unique(markers[regions == 2]).tolist() == [2]


@pytest.mark.parametrize("distance", [0.5, 3, 8, 100])
def test_seeds_are_kept_apart_as_by_brute_force(distance):
    score, regions = random_field(1)
    markers = peaks(score, regions)
    middles = ndimage.center_of_mass(markers > 0, markers, range(1, markers.max() + 1))
    height = ndimage.maximum(score, markers, range(1, markers.max() + 1))
    region = ndimage.maximum(regions, markers, range(1, markers.max() + 1))
    kept = []
    for n in sorted(range(len(middles)), key=lambda n: -height[n]):
        if all(region[n] != region[m] or np.hypot(*np.subtract(middles[n], middles[m])) >= distance for m in kept):
            kept.append(n)
    found = keep_apart(markers, score, regions, distance)
    assert found.max() == len(kept)
    assert set(np.unique(markers[found > 0])) == {n + 1 for n in kept}
    if distance == 100:
        assert found.max() == len(set(region))


def test_smoothing_takes_nothing_from_masked_out_pixels():
    rng = np.random.default_rng(0)
    plane = rng.random((12, 15)).astype(np.float32)
    usable = rng.random((12, 15)) > 0.3
    y, x = np.mgrid[:12, :15]
    result = smoothed(np.where(usable, plane, 99).astype(np.float32), 2.35, usable)
    for row, column in [(0, 0), (5, 7), (11, 14)]:
        near = usable & (np.abs(y - row) <= 4) & (np.abs(x - column) <= 4)  # scipy cuts the Gaussian at 4 sigma
        weight = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2) * near
        assert result[row, column] == pytest.approx((weight * plane).sum() / weight.sum(), rel=1e-4)
    assert smoothed(plane, 0) is plane
    np.testing.assert_allclose(smoothed(np.ones((5, 6), np.float32), 30), 1, rtol=1e-5)


def test_the_distance_to_the_edge_ignores_holes_and_the_frame():
    mask = np.zeros((20, 20), bool)
    mask[0:11, 4:15] = True
    regions = mask.astype(np.int32)
    regions[5, 9] = 0
    distance = distance_to_edge(regions)
    assert distance[5, 9] == 6
    assert distance[0, 9] == 6
    assert (distance_to_edge(np.ones((4, 4), np.int32)) > 0).all()


def test_shape_splits_what_bulges_and_nothing_else():
    pair = discs([(30, 30), (30, 48)], 12, (60, 80))
    how = Declumping("shape", smoothing_px=4, min_distance_px=8)
    labels = split(pair, how)
    assert labels.max() == 2
    np.testing.assert_array_equal(labels > 0, pair)
    areas = np.bincount(labels.ravel())[1:]
    assert abs(areas[0] - areas[1]) <= 0.05 * areas.sum()
    assert labels[30, 34] != labels[30, 44]
    assert split(pair, Declumping("none")).max() == 1
    assert split(pair, Declumping("shape", smoothing_px=4, min_distance_px=30)).max() == 1
    assert split(pair, Declumping("shape", smoothing_px=60)).max() == 1
    assert split(discs([(30, 30)], 12, (60, 80)), how).max() == 1


@pytest.mark.parametrize("sign", [1, -1], ids=["bright", "dark"])
def test_intensity_splits_at_the_valley_between_two_peaks(sign):
    mask = np.zeros((40, 60), bool)
    mask[10:30, 10:50] = True
    y, x = np.mgrid[:40, :60]
    image = np.exp(-((y - 20) ** 2 + (x - 18) ** 2) / 60) + np.exp(-((y - 20) ** 2 + (x - 42) ** 2) / 60)
    image = (sign * (image + mask)).astype(np.float32)
    how = Declumping("intensity", smoothing_px=3, min_distance_px=5)
    labels = split(mask, how, image)
    assert labels.max() == 2
    assert labels[20, 28] != labels[20, 32]
    assert split(mask, Declumping("shape", 3, 5)).max() == 1
    assert split(mask, Declumping("intensity", 3, 25), image).max() == 1
    with pytest.raises(ValueError, match="image is needed"):
        split(mask, how)


def test_masked_out_pixels_say_nothing_of_the_background():
    image = np.full((6, 6), 5, np.float32)
    image[2:4, 2:4] = 7
    image[0] = 100
    regions = (image == 7).astype(np.int32)
    assert brightness_of_objects(image, regions, image < 50) is image
    assert brightness_of_objects(-image, regions).max() == 100
    assert brightness_of_objects(image, np.ones_like(regions)) is image


def by_threshold_and_flooding(probabilities, roles, settings):
    """Declumping as it was before there was another method."""
    planes = probabilities_by_role(probabilities, roles)
    regions, _ = ndimage.label(planes["foreground"] > settings.foreground_threshold, output=np.int32)
    score = marker_score(planes)
    markers, _ = ndimage.label((regions > 0) & (score > settings.marker_threshold))
    seeds = runs_of(relabel(markers, settings.marker_min_size_px))
    objects = painted(split_regions(runs_of(regions), seeds, score), regions.shape)
    return relabel(objects, settings.min_size_px)


@pytest.mark.parametrize("seed", range(3))
def test_the_default_is_the_models_own_way_to_the_bit(seed):
    score, _ = random_field(seed, (120, 150))
    distance = np.clip(score / score.max(), 0, 1)
    probabilities = np.stack([np.clip(0.5 + 3 * distance - 0.6, 0, 1), distance]).astype(np.float32)
    settings = Postprocessing(0.5, 0.35, marker_min_size_px=3, min_size_px=8)
    roles = ("foreground", "distance")
    expected = by_threshold_and_flooding(probabilities, roles, settings)
    assert expected.max() > 10
    np.testing.assert_array_equal(declump(probabilities, roles, settings), expected)
    np.testing.assert_array_equal(declump(probabilities, roles, settings, BY_PROBABILITY), expected)
    smooth = declump(probabilities, roles, settings, Declumping(smoothing_px=6))
    apart = declump(probabilities, roles, settings, Declumping(min_distance_px=15))
    np.testing.assert_array_equal(smooth > 0, expected > 0)
    assert smooth.max() < expected.max()
    assert apart.max() < expected.max()


@pytest.mark.parametrize("method", ["shape", "intensity"])
def test_a_model_of_boundaries_alone_is_joined_then_split(method):
    pair = discs([(30, 30), (30, 48)], 12, (60, 80))
    image = np.where(pair, 1, 0) * distance_to_edge(pair.astype(np.int32))
    boundary = (ndimage.binary_dilation(pair) & ~pair).astype(np.float32)
    bright = image.astype(np.float32)[np.newaxis]
    labels = declump(boundary[np.newaxis], ("boundary",), SETTINGS, Declumping(method, 4, 8), image=bright)
    assert labels.max() == 2
    assert declump(boundary[np.newaxis], ("boundary",), SETTINGS, image=bright).max() == 1


@pytest.mark.parametrize("method", ["shape", "intensity", "none"])
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 6)])
def test_empty_full_and_tiny_masks(method, value, shape):
    mask = np.full(shape, value)
    labels = split(mask, Declumping(method, 3, 2), np.ones(shape, np.float32))
    assert labels.max() == int(value)
    assert (labels > 0).all() == bool(value)


def test_holes_are_filled_before_only_up_to_a_size_and_never_where_masked_out():
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    mask[8:10, 8:10] = mask[15:25, 15:25] = False
    usable = np.ones_like(mask)
    usable[8, 8] = False
    labels = declump(
        mask[np.newaxis].astype(np.float32), ("foreground",), SETTINGS, Declumping(fill_before_px=50), usable
    )
    assert labels[9, 9] == 1
    assert labels[8, 8] == labels[20, 20] == 0
    assert split(mask, Declumping())[9, 9] == 0
