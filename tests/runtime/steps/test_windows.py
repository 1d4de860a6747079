import numpy as np
import pytest

from cpunet.steps.windows import cut, middle_of, windows_to_measure


def test_the_window_is_neither_the_emptiest_nor_the_brightest():
    plane = np.zeros((3072, 2048), np.float32)
    rng = np.random.default_rng(0)
    for index, contrast in enumerate([0, 0.2, 0.3, 0.4, 0.5, 9]):
        top, left = divmod(index, 2)
        plane[top * 1024 : (top + 1) * 1024, left * 1024 : (left + 1) * 1024] = contrast * rng.standard_normal(
            (1024, 1024)
        )
    first, *others = windows_to_measure(plane)
    assert 0.3 < plane[first].std() < 1
    contrasts = [plane[window].std() for window in others]
    assert contrasts == sorted(contrasts, reverse=True)


@pytest.mark.parametrize("shape", [(1460, 1460), (1024, 3000), (1025, 2049)])
def test_the_windows_cover_the_whole_image(shape):
    seen_pixels = np.zeros(shape, bool)
    for window in windows_to_measure(np.zeros(shape, np.float32)):
        assert seen_pixels[window].shape == (1024, 1024)
        seen_pixels[window] = True
    assert seen_pixels.all()


@pytest.mark.parametrize("shape", [(100, 30_000), (30_000, 3)])
def test_windows_and_their_middle_lie_within_a_narrow_image(shape):
    plane = np.zeros(shape, np.float32)
    for window in windows_to_measure(plane):
        middle = middle_of(window, 512)
        assert plane[middle].shape == tuple(min(512, size) for size in shape)
        for part, whole, size in zip(middle, window, shape):
            assert 0 <= whole.start <= part.start < part.stop <= whole.stop <= size


def test_a_window_is_cut_out_of_all_channels_and_of_the_mask():
    channels, usable = np.arange(2 * 6 * 7).reshape(2, 6, 7).astype(np.float32), np.eye(6, 7) > 0
    part, part_usable = cut(channels, usable, (slice(1, 3), slice(2, 6)))
    np.testing.assert_array_equal(part, channels[:, 1:3, 2:6])
    np.testing.assert_array_equal(part_usable, usable[1:3, 2:6])
    assert cut(channels, None, (slice(1, 3), slice(2, 6)))[1] is None
