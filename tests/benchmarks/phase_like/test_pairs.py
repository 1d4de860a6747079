import csv

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.phase_like.pairs import drawn_labels, make_pair, write_pairs
from benchmarks.phase_like.stain import CLEAN, KINDS, OTHER_FIELD
from cpunet.files.images import read_image, read_label_numbers


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_pair_is_the_same_every_time_and_of_one_size(kind):
    first, second = (make_pair("a", drawn_labels(1), kind) for _ in range(2))
    assert first.stain.dtype == np.float32
    assert first.phase.dtype == np.uint8
    assert first.stain.shape == first.phase.shape == first.labels.shape == (274, 274)
    assert all(np.array_equal(one, other) for one, other in zip(first, second))


def test_the_stain_lies_on_the_labels_once_it_is_moved_by_the_known_shift():
    pair = make_pair("b", drawn_labels(2))
    assert max(map(abs, pair.shift_px)) > 1
    inner = (slice(14, -14),) * 2
    nuclei = pair.labels > 0

    def agreement(stain):
        return np.corrcoef(stain[inner].ravel(), nuclei[inner].ravel())[0, 1]

    moved = ndimage.shift(pair.stain, pair.shift_px, order=1)
    assert agreement(moved) > 0.8
    assert agreement(moved) > agreement(pair.stain) + 0.1
    for step in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        assert agreement(ndimage.shift(moved, step, order=1)) < agreement(moved)


def test_nuclei_are_darker_than_their_bright_rims_in_the_phase_image():
    pair = make_pair("c", drawn_labels(2))
    inside = ndimage.binary_erosion(pair.labels > 0, iterations=3)
    away = ndimage.distance_transform_edt(pair.labels == 0)
    rim = (away > 0) & (away < 3)
    assert pair.phase[inside].mean() < pair.phase[rim].mean() - 15


def test_a_fifth_of_the_nuclei_is_missing_in_the_stain_and_stays_in_the_labels():
    labels = drawn_labels(4)
    missing = make_pair("d", labels, "missing", largest_px=0)
    numbers = np.arange(1, missing.labels.max() + 1)
    dark = ndimage.median(missing.stain, missing.labels, numbers) < 250
    assert dark.sum() == pytest.approx(0.2 * labels.max(), abs=1.5)


def test_written_pairs_are_read_as_they_were_made(tmp_path):
    pairs = [make_pair(f"p{seed}", drawn_labels(seed), kind) for seed, kind in enumerate((CLEAN, OTHER_FIELD))]
    assert write_pairs(pairs, tmp_path / "pairs") == 2
    for pair in pairs:
        assert np.array_equal(read_image(tmp_path / "pairs" / "stain" / f"{pair.id}.tif"), pair.stain)
        assert np.array_equal(read_image(tmp_path / "pairs" / "phase" / f"{pair.id}.png"), pair.phase)
        assert np.array_equal(read_label_numbers(tmp_path / "pairs" / "labels" / f"{pair.id}.png"), pair.labels)
    with (tmp_path / "pairs" / "truth.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["kind"] for row in rows] == [CLEAN, OTHER_FIELD]
    assert float(rows[0]["shift_y"]) == pytest.approx(pairs[0].shift_px[0], abs=1e-3)
