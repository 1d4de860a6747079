"""Masks in boxes are drawn as torchvision draws them, and a pixel that two claim goes to the nearest center."""

import numpy as np
import pytest

from cpunet.model.instances import Instances
from cpunet.steps.instances.paste import mask_in_image, paste_instances


def made(boxes, masks, scores=None):
    scores = np.ones(len(boxes)) if scores is None else np.array(scores)
    return Instances(np.array(boxes, np.float32), scores.astype(np.float32), np.array(masks, np.float32))


def numbers(count):
    return np.arange(1, count + 1, dtype=np.int32)


FULL = np.ones((28, 28), np.float32)


def drawn_by_torchvision(mask, box, shape):
    """What torchvision 0.29's paste_masks_in_image does, in torch alone."""
    torch = pytest.importorskip("torch")
    padded = torch.nn.functional.pad(torch.from_numpy(mask)[None, None], (1, 1, 1, 1))
    scale = (len(mask) + 2) / len(mask)
    y0, x0, y1, x1 = torch.from_numpy(box)
    half_x, half_y, middle_x, middle_y = (x1 - x0) * 0.5, (y1 - y0) * 0.5, (x1 + x0) * 0.5, (y1 + y0) * 0.5
    expanded = torch.stack(
        [middle_x - half_x * scale, middle_y - half_y * scale, middle_x + half_x * scale, middle_y + half_y * scale]
    ).to(torch.int64)
    left, top, right, bottom = (int(each) for each in expanded)
    width, height = max(right - left + 1, 1), max(bottom - top + 1, 1)
    resized = torch.nn.functional.interpolate(padded, size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    image = np.zeros(shape, np.float32)
    x_from, x_to, y_from, y_to = max(left, 0), min(right + 1, shape[1]), max(top, 0), min(bottom + 1, shape[0])
    image[y_from:y_to, x_from:x_to] = resized.numpy()[y_from - top : y_to - top, x_from - left : x_to - left]
    return image


@pytest.mark.parametrize(
    "box",
    [(10, 12, 38, 52), (10.4, 12.7, 17.2, 15.1), (-6.3, -9.8, 20, 30), (50, 70, 75.5, 99.5), (0.2, 0.2, 0.9, 0.8)],
    ids=["larger", "smaller", "beyond the first corner", "beyond the last corner", "less than a pixel"],
)
def test_a_mask_lies_where_torchvision_puts_it(box):
    mask = np.random.default_rng(0).random((28, 28), np.float32)
    box, shape = np.array(box, np.float32), (60, 80)
    expected = drawn_by_torchvision(mask, box, shape)
    found = np.zeros(shape, np.float32)
    top, left, values = mask_in_image(mask, box, shape)
    found[top : top + values.shape[0], left : left + values.shape[1]] = values
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.any() == expected.any()


def test_a_full_mask_fills_its_box():
    labels, foreground = paste_instances(made([[4, 6, 14, 12]], [FULL]), numbers(1), (20, 20), 0.5)
    rows, columns = np.nonzero(labels)
    # torchvision rounds boxes outward: rows 4 to 13 and columns 6 to 11 would be the box itself.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 14, 5, 12)
    assert foreground.max() == pytest.approx(1)


def test_a_mask_is_cut_at_the_threshold():
    ramp = np.tile(np.linspace(0, 1, 28, dtype=np.float32), (28, 1))
    areas = [
        np.count_nonzero(paste_instances(made([[0, 0, 28, 28]], [ramp]), numbers(1), (40, 40), threshold).labels)
        for threshold in (0.3, 0.5, 0.7)
    ]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[1] > areas[2] > 0
    assert areas[1] / 28 == pytest.approx(14, abs=1)


def test_a_pixel_that_two_claim_goes_to_the_nearest_center_and_not_to_the_better_score():
    found = made([[0, 0, 10, 20], [0, 12, 10, 40]], [FULL, FULL], [0.5, 0.9])
    labels = paste_instances(found, numbers(2), (10, 50), 0.5).labels
    alone = [paste_instances(found.chosen([place]), numbers(1), (10, 50), 0.5).labels > 0 for place in (0, 1)]
    centers = [np.nonzero(each[5])[0].mean() for each in alone]
    both = np.flatnonzero(alone[0][5] & alone[1][5])
    assert len(both) >= 8
    nearest = np.abs(both[:, np.newaxis] - centers).argmin(axis=1) + 1
    np.testing.assert_array_equal(labels[5][both], nearest)
    assert set(nearest) == {1, 2}


def test_an_object_that_loses_all_pixels_is_missing():
    inner = made([[10, 10, 12, 12], [10, 10, 12, 12]], [FULL, FULL])
    assert np.unique(paste_instances(inner, numbers(2), (30, 30), 0.5).labels).tolist() == [0, 1]


def test_bands_of_rows_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    corners = rng.uniform(-10, 80, (30, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (30, 2))], axis=1)
    found = made(boxes, rng.random((30, 9, 9)), rng.random(30))
    whole = paste_instances(found, numbers(30), (90, 70), 0.5)
    bands = [paste_instances(found, numbers(30), (90, 70), 0.5, slice(at, min(at + 13, 90))) for at in range(0, 90, 13)]
    np.testing.assert_array_equal(np.concatenate([band.labels for band in bands]), whole.labels)
    np.testing.assert_array_equal(np.concatenate([band.foreground for band in bands]), whole.foreground)
    assert whole.labels.max() == 30


def test_the_foreground_is_the_mask_times_the_score():
    found = made([[2, 2, 8, 8], [2, 2, 8, 8]], [FULL, FULL * 0.9], [0.4, 0.8])
    foreground = paste_instances(found, numbers(2), (10, 10), 0.5).foreground
    assert foreground[5, 5] == pytest.approx(0.72)
    assert foreground[0, 0] == 0


def test_nothing_gives_nothing():
    nothing = Instances(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 28, 28), np.float32))
    labels, foreground = paste_instances(nothing, numbers(0), (3, 4), 0.5)
    assert labels.shape == foreground.shape == (3, 4)
    assert not labels.any()
    assert not foreground.any()
