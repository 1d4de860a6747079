import pytest

from cpunet.batch.split import group_ranges, split
from cpunet.errors import BatchError


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 200])
@pytest.mark.parametrize("size", [1, 20, 1000])
@pytest.mark.parametrize("keep_groups", [False, True])
def test_each_image_set_is_in_one_piece(count, size, keep_groups):
    groups = [1 + number // 7 for number in range(count)]
    pieces = split(groups, size, keep_groups)
    assert [number for piece in pieces for number in range(piece.first, piece.last + 1)] == list(range(1, count + 1))
    assert len({piece.name for piece in pieces}) == len(pieces)
    assert sorted(piece.name for piece in pieces) == [piece.name for piece in pieces]
    lengths = [piece.last - piece.first + 1 for piece in pieces]
    if keep_groups:
        ranges = group_ranges(groups)
        assert all(piece.first in [first for first, _ in ranges] for piece in pieces)
        assert all(size <= length < size + 7 for length in lengths[:-1])
    else:
        assert all(length == size for length in lengths[:-1])


def test_no_image_set_is_an_error():
    with pytest.raises(BatchError, match="no image set"):
        split([], 5, False)


def test_a_group_with_others_between_is_an_error():
    with pytest.raises(BatchError, match="group 1 do not follow each other"):
        split([1, 2, 1], 1, True)
