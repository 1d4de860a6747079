import numpy as np
import pytest
from scipy import ndimage

from cpunet.model.session import load_model
from cpunet.segment import Options, segment_image
from cpunet.steps.filters import filter_objects
from cpunet.steps.planes import link_planes, segment_stack
from tests.tiny_onnx import changed_card, tiny_onnx


def draw_stack(middles=((6, 30, 30), (6, 30, 70), (9, 75, 50)), radius=12, shape=(16, 100, 100), flat=2.0, seed=0):
    """Balls, flattened by the larger distance between planes: image and truth."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    truth = np.zeros(shape, np.int32)
    for number, (mz, my, mx) in enumerate(middles, start=1):
        truth[((z - mz) * flat) ** 2 + (y - my) ** 2 + (x - mx) ** 2 < radius**2] = number
    noise = np.random.default_rng(seed).normal(0.05, 0.01, shape)
    return (ndimage.gaussian_filter((truth > 0).astype(float), (0, 1, 1)) + noise).astype(np.float32), truth


STACK, TRUTH = draw_stack()


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


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
    found = link_planes(planes, least_shared)
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
    found = link_planes(planes)
    assert [[n for n in np.unique(plane).tolist() if n] for plane in found] == expected


def test_what_shares_nothing_is_never_linked():
    assert link_planes(boxes([(0, 10)], [(20, 30)]), 0).max() == 2


def test_balls_are_found_as_objects_of_many_planes(model):
    found = segment_stack(STACK, model)
    assert found.labels.dtype == np.int32
    assert found.labels.shape == STACK.shape
    assert found.probabilities.shape == (1, *STACK.shape)
    assert found.labels.max() == 3
    for number in range(1, 4):
        here = found.labels == np.bincount(found.labels[number == TRUTH])[1:].argmax() + 1
        assert (here & (number == TRUTH)).sum() / (here | (number == TRUTH)).sum() > 0.8


def test_an_empty_plane_is_not_stretched_into_objects(model):
    assert not TRUTH[15].any()
    assert segment_image(STACK[15], model, Options(scale=1.0)).labels.any()
    assert not segment_stack(STACK, model, Options(scale=1.0)).labels[15].any()


def test_the_scale_is_estimated_once(model, monkeypatch):
    from cpunet.steps import planes as volume

    scales = []
    first = volume.segment_at_scale

    def spy(normalized, usable, model, options, scale):
        scales.append(scale)
        return first(normalized, usable, model, options, scale)

    monkeypatch.setattr(volume, "segment_at_scale", spy)
    stack, truth = draw_stack(((4, 60, 60), (4, 60, 180)), 50, (8, 120, 240), flat=12)
    found = segment_stack(stack, model)
    assert found.scale < 0.7
    assert scales == [found.scale] * 8
    assert found.labels.max() == truth.max()
    assert segment_stack(stack, model, Options(diameter_px=20)).scale == 1
    assert segment_stack(stack, model, Options(scale=0.5)).scale == 0.5


def test_a_stack_of_one_plane_is_that_image(model):
    found, image = segment_stack(STACK[6:7], model), segment_image(STACK[6], model)
    np.testing.assert_array_equal(found.labels[0], image.labels)
    np.testing.assert_array_equal(found.probabilities[:, 0], image.probabilities)


def test_the_stack_is_not_changed_and_any_type_will_do(model):
    before = STACK.copy()
    expected = segment_stack(STACK, model).labels
    np.testing.assert_array_equal(STACK, before)
    found = segment_stack(np.clip(STACK * 200, 0, 255).astype(np.uint8), model).labels
    assert (found == expected).mean() > 0.99


def test_masks_of_a_plane_and_of_the_stack(model):
    mask = np.zeros(STACK.shape, bool)
    mask[:, :55] = True
    stack = np.where(mask, STACK, 1000)
    for given in (mask, mask[0]):
        labels = segment_stack(stack, model, Options(mask=given)).labels
        assert labels.max() == 2
        assert not labels[:, 55:].any()
    some_planes = mask.copy()
    some_planes[:5] = False
    assert not segment_stack(stack, model, Options(mask=some_planes)).labels[:5].any()
    assert segment_stack(stack, model, Options(mask=some_planes)).labels[5].any()
    not_finite = np.where(mask, STACK, np.nan)
    np.testing.assert_array_equal(segment_stack(not_finite, model).labels, labels)
    with pytest.raises(ValueError, match=r"mask has the shape \(3, 3\) and the stack \(16, 100, 100\)"):
        segment_stack(STACK, model, Options(mask=np.ones((3, 3), bool)))


def test_color_stacks(tmp_path):
    path = tmp_path / "color.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"channels": ["red", "green", "blue"]}), channels=3))
    model = load_model(path)
    color = segment_stack(np.stack([STACK] * 3, axis=-1), model).labels
    assert color.max() == 3
    np.testing.assert_array_equal(segment_stack(STACK, model).labels, color)


@pytest.mark.parametrize("stack", [np.zeros((3, 20, 20)), np.full((3, 20, 20), np.nan), np.ones((1, 1, 1))])
def test_stacks_with_nothing_in_them_give_no_object(model, stack):
    found = segment_stack(stack, model)
    assert found.labels.shape == stack.shape
    assert not found.labels.any()


@pytest.mark.parametrize("shape", [(20, 20), (2, 2, 20, 20, 1), (0, 5, 5)])
def test_what_is_no_stack_is_refused(model, shape):
    with pytest.raises(ValueError, match="planes, rows and columns are needed"):
        segment_stack(np.zeros(shape), model)


@pytest.mark.parametrize("method", ["shape", "intensity", "none"])
def test_other_options_work_plane_by_plane(model, method):
    reports = []
    options = Options(
        scale=1.0,
        declump_method=method,
        fill_holes="after thresholding",
        augmentation="flips",
        tile_shape=(64, 64),
        on_progress=lambda done, total: reports.append((done, total)),
    )
    labels = segment_stack(STACK, model, options).labels
    assert filter_objects(labels, (8, 40), z_step_px=2).labels.max() == 3
    done, totals = zip(*reports)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]} == {16 * 4 * 4}
