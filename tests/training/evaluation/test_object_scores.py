import numpy as np
import pytest
from skimage.draw import disk
from skimage.morphology import dilation

from cpunet.checks.synthetic import synthetic_field
from cpunet.scores import IOU_THRESHOLDS, score_image
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.object_scores import (
    CLUMP_SIZE,
    ECCENTRICITY,
    area_binning,
    clump_sizes,
    recall_by_bin,
    true_objects,
)
from cpunet.training.evaluation.scored_images import Evaluation, ScoredMethod, score_labels


def blobs(seed, shape=(40, 50), number=14):
    """Discs that touch, overlap and stand alone, with gaps in their numbers."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for object_number in rng.permutation(3 * number)[:number] + 1:
        center = (rng.integers(0, shape[0]), rng.integers(0, shape[1]))
        labels[disk(center, rng.integers(2, 6), shape=shape)] = object_number
    return labels


def clump_sizes_by_flooding(labels):
    ids = [number for number in np.unique(labels) if number]
    grown = {number: dilation(labels == number, np.ones((3, 3))) for number in ids}
    sizes = []
    for start in ids:
        clump, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            new = {other for other in ids if (grown[here] & (labels == other)).any()} - clump
            clump |= new
            waiting += new
        sizes.append(len(clump))
    return sizes


@pytest.mark.parametrize("seed", range(4))
def test_clump_sizes_equal_flooding(seed):
    labels = blobs(seed)
    assert len(set(clump_sizes(labels))) > 1
    np.testing.assert_array_equal(clump_sizes(labels), clump_sizes_by_flooding(labels))


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        ([[1, 0, 2]], [1, 1]),
        ([[1, 2]], [2, 2]),
        ([[1, 0], [0, 2]], [2, 2]),
        ([[0, 1], [2, 0]], [2, 2]),
        ([[7, 5, 0, 9, 7]], [3, 3, 3]),
        ([[1, 2, 3, 0, 8]], [3, 3, 3, 1]),
        ([[0, 0]], []),
        ([[4]], [1]),
    ],
    ids=["gap", "side", "corner", "other corner", "in two pieces", "chain", "empty", "one pixel"],
)
def test_clump_sizes_of_worked_examples(rows, sizes):
    assert clump_sizes(np.array(rows)).tolist() == sizes


def test_facts_stand_in_the_order_of_the_numbers():
    labels = np.zeros((60, 60), np.int32)
    labels[disk((15, 15), 10)] = 9
    labels[40:42, 10:40] = 4
    facts = true_objects(labels)
    assert facts.area_px.tolist() == [60, (labels == 9).sum()]
    assert facts.eccentricity[0] > 0.99
    assert facts.eccentricity[1] < 0.1
    assert facts.clump_size.tolist() == [1, 1]


def test_area_bins_hold_about_as_many_objects_each():
    area = np.random.default_rng(0).integers(20, 4000, 1000)
    binning = area_binning(area)
    recalls = recall_by_bin(area, np.ones(len(area)), binning)
    assert [each.objects for each in recalls] == pytest.approx([200] * 5, abs=4)
    assert sum(each.objects for each in recalls) == len(area)
    assert recalls[0].name.startswith(f"{area.min()} to ")
    assert recalls[-1].name.endswith(f" to {area.max()} px")


@pytest.mark.parametrize(
    ("area", "names"),
    [
        ([], ()),
        ([7], ("7 to 7 px",)),
        ([7] * 10, ("7 to 7 px",)),
        ([3] * 8 + [9, 9], ("3 to 3 px", "4 to 9 px")),
        ([1, 2, 3, 4, 5], ("1 to 1 px", "2 to 2 px", "3 to 3 px", "4 to 4 px", "5 to 5 px")),
    ],
)
def test_area_bins_of_few_or_equal_objects(area, names):
    assert area_binning(np.array(area, np.int64)).names == names


@pytest.mark.parametrize(
    ("binning", "values", "counts"),
    [
        (CLUMP_SIZE, [1, 2, 3, 4, 5, 9], {"1 (alone)": 1, "2": 1, "3 or 4": 2, "5 or more": 2}),
        (CLUMP_SIZE, [1, 7, 7], {"1 (alone)": 1, "5 or more": 2}),
        (ECCENTRICITY, [0, 0.499, 0.5, 0.7, 0.849, 0.85, 1.0], {"0": 2, "0.5": 1, "0.7": 2, "0.85": 2}),
    ],
    ids=["clumps", "empty bins are left out", "eccentricity"],
)
def test_fixed_bins(binning, values, counts):
    recalls = recall_by_bin(np.array(values), np.zeros(len(values)), binning)
    assert {each.name: each.objects for each in recalls} == {
        next(name for name in binning.names if name == key or name.startswith(f"{key} ")): count
        for key, count in counts.items()
    }


def test_an_object_is_found_above_the_threshold_not_at_it():
    (found,) = recall_by_bin(np.ones(4), np.array([0.5, 0.7, 0.71, 0]), CLUMP_SIZE)
    assert found.recall == {0.5: 0.5, 0.7: 0.25}


def recall_by_looping(images, fact, inside, threshold):
    """Count object by object and pixel by pixel; the matching is that of the definition."""
    found = total = 0
    for truth, prediction in images:
        values = getattr(true_objects(truth), fact)
        for value, number in zip(values, [n for n in np.unique(truth) if n], strict=True):
            if not inside(value):
                continue
            total += 1
            mask = truth == number
            for other in np.unique(prediction[mask]):
                union = mask | (prediction == other)
                found += bool(other and (mask & (prediction == other)).sum() / union.sum() > threshold)
    return total, found


def evaluation_of(images):
    row = IndexRow(None, "a", "fluorescence", "val", "")
    scored = tuple(score_labels(row, truth, true_objects(truth), prediction) for truth, prediction in images)
    return Evaluation("val", None, (ScoredMethod("method", "", None, scored),), {})


@pytest.fixture(scope="module")
def images():
    pairs = []
    for seed in range(3):
        truth = synthetic_field((96, 128), columns=4, diameter_px=16, touching=seed > 0, seed=seed).labels
        prediction = np.roll(truth, (seed, 2), axis=(0, 1))
        prediction[:, 64:][prediction[:, 64:] % 3 == 0] = 0
        prediction[prediction == 4] = 5
        pairs.append((truth, prediction * 2))
    return pairs


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_recall_equals_counting_object_by_object(images, threshold):
    evaluation = evaluation_of(images)
    compared = 0
    for binning in evaluation.binnings():
        ends = [*binning.starts[1:], np.inf]
        expected = {}
        for name, start, end in zip(binning.names, binning.starts, ends, strict=True):
            total, found = recall_by_looping(images, binning.fact, lambda v, s=start, e=end: s <= v < e, threshold)
            if total:
                expected[name] = (total, pytest.approx(found / total))
        recalls = evaluation.methods[0].recall(binning)
        assert {each.name: (each.objects, each.recall[threshold]) for each in recalls} == expected
        assert len({each.recall[threshold] for each in recalls}) > 1
        compared += len(recalls)
    assert compared >= 8


def test_bins_together_hold_the_true_positives_of_the_scores(images):
    evaluation = evaluation_of(images)
    for threshold in (0.5, 0.7):
        tp = sum(score_image(*pair).tp[IOU_THRESHOLDS.index(threshold)] for pair in images)
        for binning in evaluation.binnings():
            recalls = evaluation.methods[0].recall(binning)
            assert sum(each.objects * each.recall[threshold] for each in recalls) == pytest.approx(tp)
