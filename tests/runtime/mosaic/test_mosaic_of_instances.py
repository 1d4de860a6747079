"""The objects that a network gives for a mosaic, by tile, are those of one piece; a killed run is resumed."""

import numpy as np
import pytest

from cpunet.errors import OptionError
from cpunet.model.session import load_model
from cpunet.mosaic.readers.open_mosaic import WholeImage
from cpunet.mosaic.segment_mosaic import segment_mosaic
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.steps import scale as scale_module
from cpunet.steps import windows as windows_module
from cpunet.steps.filters import filter_objects
from tests.tiny_instances import blobs, instances_card, instances_onnx

TILE = (128, 160)


def centers(shape, by=34):
    rng = np.random.default_rng(3)
    return [
        (row + rng.integers(-5, 6), column + rng.integers(-5, 6))
        for row in range(15, shape[0] - 5, by)
        for column in range(15, shape[1] - 5, by)
    ]


SHAPE = (330, 420)
FIELD = (blobs(SHAPE, centers(SHAPE)) * 3000 + 100).astype(np.uint16)


@pytest.fixture
def blob_model(tmp_path):
    path = tmp_path / "blobs.onnx"
    card = instances_card(postprocessing={"min_size_px": 30, "max_objects": 200})
    path.write_bytes(instances_onnx(card, most=200))
    return load_model(path, "cpu")


def both(image, model, folder, options, **filters):
    found = segment_image(image, model, options)
    whole = filter_objects(
        found.labels, filters.get("diameter_range_px"), filters.get("discard_border", False), found.usable
    ).labels
    by_tile = segment_mosaic(WholeImage(image), model, options, folder, lambda *step: None, **filters)
    assert by_tile.notes == found.notes
    assert by_tile.objects == whole.max()
    return whole, by_tile.labels.read()


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": 1.0}, {"scale": 1.3}, {"foreground_threshold": 0.3}, {"outline_level": 0.4}],
    ids=str,
)
def test_labels_are_those_of_one_piece(blob_model, tmp_path, thin_bands, options):
    whole, labels = both(FIELD, blob_model, tmp_path, Options(tile_shape=TILE, **options))
    assert whole.max() > 90
    np.testing.assert_array_equal(labels, whole)


def test_filters_are_those_of_one_piece(blob_model, tmp_path, thin_bands):
    options = Options(tile_shape=TILE, scale=1.0)
    whole, labels = both(FIELD, blob_model, tmp_path, options, diameter_range_px=(15, 30), discard_border=True)
    assert 0 < whole.max() < len(centers(SHAPE))
    np.testing.assert_array_equal(labels, whole)


def test_what_was_not_measured_belongs_to_no_object(blob_model, tmp_path, thin_bands):
    image = FIELD.astype(np.float32)
    image[100:200, 150:260] = np.nan
    whole, labels = both(image, blob_model, tmp_path, Options(tile_shape=TILE, scale=1.0))
    assert not labels[100:200, 150:260].any()
    np.testing.assert_array_equal(labels, whole)


def test_the_scale_is_measured_as_in_one_piece_where_windows_hold_few_objects(
    blob_model, tmp_path, thin_bands, monkeypatch
):
    for module in (windows_module, scale_module):
        monkeypatch.setattr(module, "WINDOW_PX", 128)
    monkeypatch.setattr("cpunet.mosaic.scale_of_mosaic.WINDOW_PX", 128)
    sparse = (blobs(SHAPE, [(300, 400), (290, 360), (310, 30)]) * 3000 + 100).astype(np.uint16)
    whole, labels = both(sparse, blob_model, tmp_path, Options(tile_shape=TILE))
    assert whole.max() == 3
    np.testing.assert_array_equal(labels, whole)


def test_a_killed_run_is_resumed_and_sees_no_tile_twice(blob_model, tmp_path):
    seen = []

    class KilledError(Exception):
        pass

    class Counting:
        card = blob_model.card

        def find_instances(self, image):
            seen.append(image.tobytes())
            if len(seen) == 4:
                raise KilledError
            return blob_model.find_instances(image)

    options = Options(tile_shape=TILE, scale=1.0)
    with pytest.raises(KilledError):
        segment_mosaic(WholeImage(FIELD), Counting(), options, tmp_path, lambda *step: None)
    found = segment_mosaic(WholeImage(FIELD), Counting(), options, tmp_path, lambda *step: None)
    assert len(seen) == len(set(seen)) + 1  # the tile in which the run was killed
    np.testing.assert_array_equal(found.labels.read(), segment_image(FIELD, blob_model, options).labels)


def test_views_are_refused(blob_model, tmp_path):
    options = Options(tile_shape=TILE, augmentation="flips")
    with pytest.raises(OptionError, match="--views"):
        segment_mosaic(WholeImage(FIELD), blob_model, options, tmp_path, lambda *step: None)
