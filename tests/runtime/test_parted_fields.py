"""A model file of boundaries alone finds the right objects where nuclei part the background, in each way to run it."""

import numpy as np
import pytest

from cpunet.calibration.calibrate import calibrate
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.session import load_model
from cpunet.mosaic.readers.open_mosaic import WholeImage
from cpunet.mosaic.segment_mosaic import segment_mosaic
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image, segment_stack
from tests.parted_fields import DRAWN, LIT, edges_onnx, fields, nuclei, row_of_ten, seen

AS_IT_IS = Options(scale=1.0)
SEEN = dict(fields(valley=0.3, noise=0.003))


def opened(folder, **changes):
    path = folder / "edges.onnx"
    path.write_bytes(edges_onnx(**changes))
    return load_model(path)


@pytest.fixture
def model(tmp_path):
    return opened(tmp_path)


def check(labels, found):
    assert found.max() == labels.max()
    assert pool_scores([score_image(labels, found)]).f1[0.5] == 1


@pytest.mark.parametrize("name", SEEN)
def test_objects_are_counted_right(model, name):
    check(SEEN[name].labels, segment_image(SEEN[name].image, model, AS_IT_IS).labels)


def test_the_image_itself_gives_the_scale(model):
    field = SEEN["ten in a row, even"]
    found = segment_image(field.image, model, Options())
    assert found.scale == 1
    check(field.labels, found.labels)


def test_in_an_image_that_is_shrunk_for_the_network(tmp_path):
    """The outlines are those of the network's grid, twice as coarse."""
    labels = nuclei([(120, 30 + 60 * number) for number in range(10)], 32, (240, 600))
    image = seen(labels, valley=0.1, noise=0.003)
    check(labels, segment_image(image, opened(tmp_path), Options(scale=0.5)).labels)


@pytest.mark.parametrize("augmentation", ["flips", "flips and rotations"])
def test_with_several_views(model, augmentation):
    field = SEEN["islands, uneven"]
    check(field.labels, segment_image(field.image, model, Options(scale=1.0, augmentation=augmentation)).labels)


def test_with_other_ways_to_separate(model):
    """The background is still told; what touches is joined, and split by shape."""
    field = SEEN["ten in a row, even"]
    by_shape = segment_image(field.image, model, Options(scale=1.0, declump_method="shape", diameter_px=None)).labels
    whole = segment_image(field.image, model, Options(scale=1.0, declump_method="none")).labels
    for found in (by_shape, whole):
        assert not found[:40].any()
        assert not found[80:].any()
    assert by_shape.max() == 10
    assert 1 <= whole.max() <= 10


@pytest.mark.parametrize("light", LIT)
def test_several_channels(tmp_path, light):
    """Two stains of which one is darker in the nuclei, and a third that shows nothing."""
    labels = row_of_ten()
    image = SEEN[f"ten in a row, {light}"].image
    blank = np.random.default_rng(2).normal(0.5, 0.001, labels.shape)
    channels = np.stack([image, 1 - image, blank], axis=-1).astype(np.float32)
    model = opened(tmp_path, channels=3, normalization={"kind": "none", "units": "as_stored"})
    check(labels, segment_image(channels, model, AS_IT_IS).labels)


@pytest.mark.parametrize("light", ["even", "dark on bright"])
def test_what_is_masked_out_is_no_background_and_no_object(model, light):
    field = SEEN[f"ten in a row, {light}"]
    mask = np.ones(field.labels.shape, bool)
    mask[:, 150:] = False
    found = segment_image(field.image, model, Options(scale=1.0, mask=mask)).labels
    assert found.max() == 5
    assert not found[:, 150:].any()


def test_planes_of_a_stack_are_linked(model):
    field = SEEN["ten in a row, even"]
    image = seen(field.labels, valley=0.3, noise=0.003, seed=5)
    found = segment_stack(np.stack([field.image, image, field.image]), model, AS_IT_IS).labels
    assert found.max() == 10
    for plane in found:
        check(field.labels, plane)


@pytest.mark.parametrize("light", LIT)
@pytest.mark.parametrize("name", DRAWN)
def test_a_mosaic_has_the_labels_of_one_piece(model, tmp_path, monkeypatch, name, light):
    monkeypatch.setattr("cpunet.mosaic.disk_array.BAND_PX", 300 * 18)
    labels = DRAWN[name]()
    image = LIT[light](seen(labels, valley=0.3, noise=0.003))
    options = Options(scale=1.0, tile_shape=(64, 96))
    whole = segment_image(image, model, options).labels
    by_tile = segment_mosaic(WholeImage(image), model, options, tmp_path, lambda *step: None).labels.read()
    np.testing.assert_array_equal(by_tile, whole)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_mosaic_with_unmeasured_pixels_has_the_labels_of_one_piece(tmp_path, monkeypatch, channels):
    monkeypatch.setattr("cpunet.mosaic.disk_array.BAND_PX", 300 * 18)
    image = SEEN["islands, even"].image.copy()
    image[30:34, 40:200] = np.nan
    image[70:, 250:] = np.nan
    planes = np.stack([image, 1 - image][:channels], axis=-1).astype(np.float32)
    image = planes[..., 0] if channels == 1 else planes
    options = Options(scale=1.0, tile_shape=(64, 96))
    model = opened(tmp_path, channels=channels)
    whole = segment_image(image, model, options).labels
    by_tile = segment_mosaic(WholeImage(image), model, options, tmp_path, lambda *step: None).labels.read()
    assert whole.max() > 20
    np.testing.assert_array_equal(by_tile, whole)


def test_calibration_finds_a_better_boundary_threshold(tmp_path):
    """A threshold that leaves gaps in the outlines joins objects to the background."""
    model = opened(tmp_path, gain=12.0, offset=-4.0, postprocessing={"boundary_threshold": 0.9})
    images = [LabeledImage(*SEEN[f"{name}, even"]) for name in ("ten in a row", "a ring", "at the edge")]
    found = calibrate(model, images)
    assert found.before.f1[0.7] < 0.9
    assert found.after.f1[0.7] > found.before.f1[0.7]
    assert found.chosen.postprocessing.boundary_threshold < 0.9
