import numpy as np
import pytest

from cpunet.mosaic.disk_array import DiskArray, bands_of

NUMBERS = np.arange(2 * 3 * 7 * 11, dtype=np.float32).reshape(2, 3, 7, 11)


@pytest.mark.parametrize(
    "window",
    [
        (),
        (1,),
        (0, slice(None), slice(2, 5)),
        (1, slice(None), slice(2, 5), slice(3, 4)),
        (slice(None), 2, slice(0, 7), slice(0, 11)),
        (1, 2, 6, 10),
    ],
    ids=str,
)
def test_parts_are_written_and_read_as_numpy_does(tmp_path, window):
    expected = np.zeros_like(NUMBERS)
    expected[window] = NUMBERS[window]
    array = DiskArray.create(tmp_path / "array", NUMBERS.shape, np.float32)
    array.write(NUMBERS[window], *window)
    np.testing.assert_array_equal(array.read(), expected)
    np.testing.assert_array_equal(array.read(*window), NUMBERS[window])


def test_a_file_of_another_size_is_not_taken(tmp_path):
    DiskArray.create(tmp_path / "array", (3, 4), np.int32).write(np.ones((3, 4)))
    assert DiskArray.open_or_create(tmp_path / "array", (3, 4), np.int32).read().all()
    assert not DiskArray.open_or_create(tmp_path / "array", (3, 5), np.int32).read().any()
    assert not DiskArray.create(tmp_path / "array", (3, 5), np.int32).read().any()


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5000, 10_000), (100, 10**6)], ids=str)
def test_bands_cover_each_row_once(shape):
    rows = [row for band in bands_of(shape) for row in range(band.start, band.stop)]
    assert rows == list(range(shape[0]))
