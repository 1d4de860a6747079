import numpy as np
import pytest
from scipy import ndimage

from cpunet import segment
from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image, segment_stack
from cpunet.steps.decode import decode
from cpunet.steps.filters import filter_objects
from cpunet.steps.look import look
from cpunet.steps.outline_shift import shift_outlines
from tests.tiny_onnx import changed_card, tiny_onnx

FIELD = synthetic_field((120, 150), columns=4, diameter_px=20)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


def test_synthetic_nuclei_are_found(model):
    found = segment_image(FIELD.image, model)
    assert found.labels.dtype == np.int32
    assert found.labels.shape == FIELD.image.shape
    assert found.probabilities.shape == (1, *FIELD.image.shape)
    assert found.probabilities.dtype == np.float32
    assert score_image(FIELD.labels, found.labels).tp[0] == FIELD.labels.max()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64])
def test_any_real_type_gives_the_same_objects(model, dtype):
    scaled = FIELD.image * 250 if np.issubdtype(dtype, np.integer) else FIELD.image
    labels = segment_image(scaled.astype(dtype), model).labels
    expected = segment_image(FIELD.image, model).labels
    assert labels.max() == expected.max()
    assert (labels == expected).mean() > 0.99


def test_a_12_bit_camera_gives_the_same_objects_as_8_bits(model):
    np.testing.assert_array_equal(
        segment_image(FIELD.image * 0.0625, model).labels, segment_image(FIELD.image, model).labels
    )


def test_the_image_is_not_changed(model):
    before = FIELD.image.copy()
    segment_image(FIELD.image, model, Options(diameter_px=60, mask=FIELD.image > 0.1))
    np.testing.assert_array_equal(FIELD.image, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((30, 20)),
        np.full((30, 20), 0.7),
        np.full((30, 20), np.nan),
        np.full((30, 20), np.inf),
        np.ones((1, 1)),
        np.zeros((1, 1), np.uint8),
        np.ones((30, 20), bool),
    ],
    ids=["black", "constant", "all NaN", "all infinite", "1x1", "1x1 uint8", "constant bool"],
)
def test_images_with_nothing_in_them_give_no_object(model, image):
    found = segment_image(image, model)
    assert found.labels.shape == image.shape
    assert not found.labels.any()
    assert not found.probabilities.any()


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (7, 5)])
def test_tiny_images_work(model, shape):
    image = np.zeros(shape)
    image[0, 0] = 1
    assert segment_image(image, model).labels.shape == shape


@pytest.mark.parametrize("shape", [(1, 2), (1, 40), (40, 1)])
def test_a_line_of_pixels_holds_no_object(model, shape):
    image = np.zeros(shape)
    image.flat[: image.size // 2] = 1
    for found in (segment_image(image, model), segment_stack(image[np.newaxis], model)):
        assert found.labels.shape[-2:] == shape
        assert not found.labels.any()


def test_padding_changes_no_object_and_is_noted(model):
    image = FIELD.image + np.float32(0.3)
    expected = segment_image(image, model).labels
    for value in (0, 1, 2000):
        around = np.pad(image, ((20, 31), (40, 17)), constant_values=value)
        found = segment_image(around, model)
        inside = found.labels[20:-31, 40:-17]
        scores = pool_scores([score_image(expected, inside)])
        assert scores.f1[0.9] == 1
        assert (found.labels > 0).sum() == (inside > 0).sum()
        assert not found.usable[:20].any()
        assert found.usable[20:-31, 40:-17].all()
        assert "padding" in found.notes[0]
    planes = np.stack([np.zeros_like(around), around])
    assert segment_stack(planes, model).labels.max() == expected.max()


def test_a_gray_image_in_color_gives_the_objects_of_the_gray_one(model):
    expected = segment_image(FIELD.image, model).labels
    for channels in (3, 4):
        np.testing.assert_array_equal(
            segment_image(np.repeat(FIELD.image[..., np.newaxis], channels, axis=2), model).labels, expected
        )


@pytest.mark.parametrize("units", ["zero_to_one", "as_stored", ""])
def test_a_model_without_normalization_reads_the_units_of_its_card(tmp_path, units):
    path = tmp_path / "none.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"normalization": {"kind": "none", "units": units}})))
    open_model = load_model(path)
    stored = (FIELD.image * 255).astype(np.uint8)
    scaled = stored.astype(np.float32) / np.float32(255)
    read = stored.astype(np.float32) if units == "as_stored" else scaled
    found = segment_image(stored, open_model, Options(scale=1.0))
    np.testing.assert_array_equal(found.labels, segment_image(read, open_model, Options(scale=1.0)).labels)
    assert bool(found.notes) == (units == "")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20, 3)) + np.arange(3), "3 channels, and the model takes 1 channel .nuclei.*ColorToGray"),
        (np.zeros((9, 20, 20)), "3-D stack"),
        (np.zeros((2, 3, 20, 20)), "4 dimensions"),
        (np.zeros(20), "1 dimensions"),
        (np.zeros((0, 20)), "no pixels"),
        (np.zeros((20, 20), complex), "real numbers"),
        (np.full((20, 20), "a"), "real numbers"),
    ],
    ids=["color", "3-D", "4-D", "1-D", "no pixels", "complex", "text"],
)
def test_images_that_do_not_fit_are_refused_in_plain_words(model, image, message):
    with pytest.raises(ValueError, match=message):
        segment_image(image, model)


def test_one_channel_may_have_its_axis(model):
    np.testing.assert_array_equal(
        segment_image(FIELD.image[..., np.newaxis], model).labels, segment_image(FIELD.image, model).labels
    )


def test_nan_pixels_count_as_masked_out(model):
    image = FIELD.image.copy()
    image[:, 75:] = np.nan
    labels = segment_image(image, model).labels
    assert labels[:, :75].any()
    assert not labels[:, 75:].any()


def test_masked_out_pixels_belong_to_no_object_and_set_no_contrast(model):
    mask = np.zeros(FIELD.image.shape, bool)
    mask[:, :75] = True
    image = FIELD.image.copy()
    image[:, 75:] = 1000
    labels = segment_image(image, model, Options(mask=mask)).labels
    assert labels[:, :75].any()
    assert not labels[:, 75:].any()
    assert not segment_image(image, model, Options(mask=np.zeros_like(mask))).labels.any()


def test_a_mask_of_another_shape_is_refused(model):
    with pytest.raises(ValueError, match="mask has the shape"):
        segment_image(FIELD.image, model, Options(mask=np.ones((3, 3), bool)))


def test_the_threshold_makes_objects_larger_or_smaller(model):
    low, high = (segment_image(FIELD.image, model, Options(foreground_threshold=value)).labels for value in (0.2, 0.8))
    assert (low > 0).sum() > (high > 0).sum() > 0


def test_the_level_of_outlines_makes_objects_larger_or_smaller_and_leaves_the_rest(model):
    default = segment_image(FIELD.image, model)
    low, high = (segment_image(FIELD.image, model, Options(outline_level=level)) for level in (0.25, 0.6))
    assert (low.labels > 0).sum() > (high.labels > 0).sum() > 0
    assert low.labels.max() == high.labels.max() == default.labels.max()
    for found in (low, high):
        np.testing.assert_array_equal(found.probabilities, default.probabilities)
        assert found.scale == default.scale


def test_the_card_may_give_the_level_of_outlines(model, tmp_path):
    path = tmp_path / "with_level.onnx"
    path.write_bytes(tiny_onnx(changed_card(postprocessing={"outline_level": 0.25})))
    with_level = load_model(path)
    np.testing.assert_array_equal(
        segment_image(FIELD.image, with_level).labels,
        segment_image(FIELD.image, model, Options(outline_level=0.25)).labels,
    )
    high = Options(outline_level=0.6)
    np.testing.assert_array_equal(
        segment_image(FIELD.image, with_level, high).labels, segment_image(FIELD.image, model, high).labels
    )


def test_the_card_may_move_outlines(model, tmp_path):
    path = tmp_path / "moved.onnx"
    path.write_bytes(tiny_onnx(changed_card(postprocessing={"outline_shift_px": 2.0})))
    moved, plain = load_model(path), segment_image(FIELD.image, model)
    found = segment_image(FIELD.image, moved)
    np.testing.assert_array_equal(found.labels, shift_outlines(plain.labels, 2.0))
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    high = Options(outline_level=0.6)  # outlines are wanted there, and nowhere else
    np.testing.assert_array_equal(
        segment_image(FIELD.image, moved, high).labels, segment_image(FIELD.image, model, high).labels
    )
    stack = np.stack([FIELD.image] * 2)
    assert (segment_stack(stack, moved).labels > 0).sum() == 2 * (found.labels > 0).sum()


def test_outlines_of_a_field_of_one_nucleus_follow_its_own_brightness(model):
    """Its percentiles lie in the background, so that the normalized image is cut off at a tenth of the edge."""
    y, x = np.indices((400, 400))
    image = ndimage.gaussian_filter(np.where(np.hypot(y - 200, x - 200) < 10, 1000.0, 0.0), 2)
    image += np.random.default_rng(0).normal(20, 1, image.shape)
    labels = segment_image(image, model, Options(outline_level=0.5, scale=1.0)).labels
    counts = np.bincount(labels.ravel())
    middle = labels[200, 200]
    assert middle > 0
    assert np.sqrt(counts[middle] / np.pi) == pytest.approx(10, abs=0.5)


def test_outlines_come_back_smooth_where_the_image_was_shrunk(model):
    field = synthetic_field((480, 600), columns=4, diameter_px=80)
    found = segment_image(field.image, model, Options(scale=0.25))
    drawn = decode(found.probabilities, field.image[np.newaxis], None, model.card, Options(), 0.25)
    assert found.labels.max() == drawn.max()
    scores = [pool_scores([score_image(field.labels, labels)]) for labels in (found.labels, drawn)]
    assert scores[0].panoptic_quality >= scores[1].panoptic_quality
    assert (found.labels != drawn).any()


@pytest.mark.parametrize("run", [segment_image, lambda image, *rest: segment_stack(image[np.newaxis], *rest)])
def test_impossible_options_are_refused(model, run):
    with pytest.raises(ValueError, match="must be larger than 0 pixels"):
        run(FIELD.image, model, Options(diameter_px=0))


@pytest.mark.parametrize("zoom", [3, 1 / 3])
def test_labels_of_a_rescaled_image_come_back_to_its_own_grid(model, zoom):
    field = synthetic_field((int(120 * zoom), int(150 * zoom)), columns=4, diameter_px=20 * zoom)
    found = segment_image(field.image, model, Options(diameter_px=20 * zoom))
    assert found.labels.shape == field.labels.shape
    scores = pool_scores([score_image(field.labels, found.labels)])
    assert scores.prediction_count == scores.truth_count
    assert scores.f1[0.5] > 0.9


def test_tiles_change_nothing(model):
    whole = segment_image(FIELD.image, model)
    tiled = segment_image(FIELD.image, model, Options(tile_shape=(32, 48), batch_size=3))
    np.testing.assert_array_equal(tiled.labels, whole.labels)


def test_a_color_model_takes_color(tmp_path):
    path = tmp_path / "color.onnx"
    card = changed_card(input={"channels": ["red", "green", "blue"]})
    path.write_bytes(tiny_onnx(card, channels=3))
    labels = segment_image(np.stack([FIELD.image] * 3, axis=-1), load_model(path)).labels
    assert labels.max() == FIELD.labels.max()


def test_a_color_model_takes_gray_images_as_colors_that_are_all_alike(tiny_model):
    card = changed_card(input={"channels": ["red", "green", "blue"]})
    tiny_model.write_bytes(tiny_onnx(card, channels=3))
    model = load_model(tiny_model)
    gray = segment_image(FIELD.image, model)
    color = segment_image(np.repeat(FIELD.image[..., np.newaxis], 3, axis=2), model)
    assert gray.labels.max() == FIELD.labels.max()
    np.testing.assert_array_equal(gray.labels, color.labels)
    with pytest.raises(ValueError, match=r"2 channels, and the model takes 3 channels \(red, green, blue"):
        segment_image(FIELD.image[..., np.newaxis].repeat(2, axis=2), model)


def test_other_models_of_three_channels_take_no_gray_image(tiny_model):
    tiny_model.write_bytes(tiny_onnx(changed_card(input={"channels": ["DNA", "actin", "ER"]}), channels=3))
    with pytest.raises(ValueError, match="1 channels, and the model takes 3 channels"):
        segment_image(FIELD.image, load_model(tiny_model))


def synthetic_stack(middles=((6, 30, 30), (6, 30, 70), (9, 75, 50)), radius=12, shape=(16, 100, 100), flat=2.0, seed=0):
    """Balls, flattened by the larger distance between planes: image and truth."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    truth = np.zeros(shape, np.int32)
    for number, (mz, my, mx) in enumerate(middles, start=1):
        truth[((z - mz) * flat) ** 2 + (y - my) ** 2 + (x - mx) ** 2 < radius**2] = number
    noise = np.random.default_rng(seed).normal(0.05, 0.01, shape)
    return (ndimage.gaussian_filter((truth > 0).astype(float), (0, 1, 1)) + noise).astype(np.float32), truth


STACK, TRUTH = synthetic_stack()


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
    scales = []

    def recorded(channels, usable, model, options, scale):
        scales.append(scale)
        return look(channels, usable, model, options, scale)

    monkeypatch.setattr(segment, "look", recorded)
    stack, truth = synthetic_stack(((4, 60, 60), (4, 60, 180)), 50, (8, 120, 240), flat=12)
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


@pytest.mark.parametrize("option", [{"outline_level": 0.3}, {"scale": 0.4}])
def test_the_outlines_of_a_stack_are_drawn_plane_by_plane(model, option):
    found, image = (
        run(planes, model, Options(**option))
        for run, planes in ((segment_stack, STACK[6:7]), (segment_image, STACK[6]))
    )
    np.testing.assert_array_equal(found.labels[0], image.labels)
    plain = segment_stack(STACK, model).labels
    assert (segment_stack(STACK, model, Options(outline_level=0.15)).labels > 0).sum() > (plain > 0).sum()


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
