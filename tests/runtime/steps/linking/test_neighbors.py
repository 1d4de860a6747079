import numpy as np
import pytest
from scipy import ndimage

from cpunet.steps.linking.neighbors import link_neighbors


def brute_force_link(planes, least_shared):
    linked, count = np.zeros_like(planes), 0
    for z in range(len(planes)):

        def iou(a, b, z=z):
            one, other = linked[z - 1] == a, planes[z] == b
            return (one & other).sum() / (one | other).sum()

        def shared(a, b, z=z):
            one, other = linked[z - 1] == a, planes[z] == b
            return (one & other).sum() / min(one.sum(), other.sum())

        now = [n for n in np.unique(planes[z]) if n]
        before = [n for n in np.unique(linked[z - 1]) if n] if z else []
        for b in now:
            partner = max(before, key=lambda a: iou(a, b), default=None)
            linked_to = None
            if partner is not None and shared(partner, b) >= least_shared and iou(partner, b) > 0:
                linked_to = partner if max(now, key=lambda other: iou(partner, other)) == b else None
            if linked_to is None:
                count += 1
                linked_to = count
            linked[z][planes[z] == b] = linked_to
    return linked


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("least_shared", [0.0, 0.5, 0.9])
def test_links_equal_brute_force(seed, least_shared):
    rng = np.random.default_rng(seed)
    volume = ndimage.gaussian_filter(rng.standard_normal((6, 30, 30)), (0.8, 2, 2))
    planes = np.zeros(volume.shape, np.int32)
    for z, plane in enumerate(volume):
        labels, _ = ndimage.label(plane > 0.02)
        planes[z] = labels * 3 * (z != 3 or seed != 0)  # gaps in the numbers; and, once, an empty plane
    found = link_neighbors(planes, least_shared)
    np.testing.assert_array_equal(found > 0, planes > 0)
    assert np.unique(found).tolist() == list(range(found.max() + 1))
    np.testing.assert_array_equal(found, brute_force_link(planes, least_shared))
    assert found.max() > 3


def boxes(*planes):
    result = np.zeros((len(planes), 10, 40), np.int32)
    for plane, spans in zip(result, planes):
        for number, (start, stop) in enumerate(spans, start=1):
            plane[2:8, start:stop] = number
    return result


@pytest.mark.parametrize(
    ("planes", "expected"),
    [
        (boxes([(0, 10)], [(0, 10)], [(1, 11)]), [[1], [1], [1]]),
        (boxes([(0, 10)], [(20, 30)]), [[1], [2]]),
        (boxes([(0, 10), (11, 19)], [(0, 19)], [(0, 10), (11, 19)]), [[1, 2], [1], [1, 3]]),
        (boxes([(0, 10)], [], [(0, 10)]), [[1], [], [2]]),
        (boxes([(0, 20)], [(9, 11)]), [[1], [1]]),
        (boxes([(0, 20)], [(18, 24)]), [[1], [2]]),
        (boxes([(0, 20)], [(17, 23)]), [[1], [1]]),
        (boxes([], []), [[], []]),
    ],
    ids=[
        "shifted",
        "apart",
        "merged once",
        "missed once",
        "an end",
        "below the threshold",
        "at the threshold",
        "empty",
    ],
)
def test_the_rule_in_simple_cases(planes, expected):
    found = link_neighbors(planes)
    assert [[n for n in np.unique(plane).tolist() if n] for plane in found] == expected


def test_what_shares_nothing_is_never_linked():
    assert link_neighbors(boxes([(0, 10)], [(20, 30)]), 0).max() == 2
