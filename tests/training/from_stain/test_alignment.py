import numpy as np
import pytest

from benchmarks.phase_like.pairs import drawn_labels, make_pair
from benchmarks.phase_like.stain import OTHER_FIELD, USABLE
from cpunet.training.from_stain.alignment import covered_by_both, find_alignment, moved


def error_px(pair, image=None):
    found = find_alignment(pair.phase if image is None else image, pair.stain, 40)
    assert found.is_reliable
    return np.abs(np.subtract(found.shift_px, pair.shift_px)).max()


def test_the_shift_of_clean_pairs_is_right_to_parts_of_a_pixel(drawn_pairs):
    # In these small fields; benchmarks/phase_like/score.py measures it in fields of a camera's size.
    errors = [error_px(pair) for pair in drawn_pairs]
    assert max(np.abs(pair.shift_px).max() for pair in drawn_pairs) > 9
    assert max(errors) < 0.7
    assert np.median(errors) < 0.3


@pytest.mark.parametrize("kind", USABLE[1:])
def test_faults_of_the_stain_do_not_move_it(kind):
    assert error_px(make_pair("a", drawn_labels(3), kind)) < 0.7


def test_dark_or_bright_and_other_types_give_the_same_shift(drawn_pairs):
    pair = drawn_pairs[0]
    alike = [255 - pair.phase, pair.phase.astype(np.float32) / 7, np.stack([pair.phase] * 3, axis=2)]
    assert [error_px(pair, image) for image in alike] == pytest.approx([error_px(pair)] * 3, abs=0.15)


def test_a_stain_of_another_field_is_not_reliable():
    for seed in (2, 4):
        pair = make_pair("a", drawn_labels(seed, (400, 400)), OTHER_FIELD)
        assert not find_alignment(pair.phase, pair.stain, 40).is_reliable


def test_a_shift_beyond_the_largest_is_not_reliable(drawn_pairs):
    pair = max(drawn_pairs, key=lambda each: np.abs(each.shift_px).max())
    assert not find_alignment(pair.phase, pair.stain, 5).is_reliable


def test_moving_back_and_forth_gives_the_stain_again():
    pair = make_pair("a", drawn_labels(2))
    there_and_back = moved(moved(pair.stain, (2.4, -1.3)), (-2.4, 1.3))
    inner = (slice(8, -8),) * 2
    assert np.abs(there_and_back - pair.stain)[inner].mean() < 0.02 * np.ptp(pair.stain)
    assert there_and_back.dtype == np.float32


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (0.2, 11.9), (-7.5, 0.0)])
def test_what_both_cover_holds_no_pixel_from_beyond_the_stain(shift):
    rows, columns = covered_by_both((50, 60), shift)
    for part, size, by in ((rows, 50, shift[0]), (columns, 60, shift[1])):
        assert part.start - by >= 0
        assert part.stop - 1 - by <= size - 1
        assert part.start == 0 or part.start - 1 - by < 0
        assert part.stop == size or part.stop - by > size - 1
