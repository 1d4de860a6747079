from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.errors import ImageError, ModelError, OptionError
from cpunet.model.card import card_from_content
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack
from cpunet.volumes.segment_volume import segment_volume
from tests.tiny_volumes import balls, changed_volume_card, mean_volume_onnx, tiny_volume_onnx

VOLUME, TRUTH = balls((16, 90, 100), ((5, 20, 20), (8, 50, 60), (9, 25, 70), (8, 70, 20)), 20)


def iou(first, second):
    return ((first > 0) & (second > 0)).sum() / ((first > 0) | (second > 0)).sum()


def test_balls_are_found_on_the_volumes_own_grid(volume_model):
    before = VOLUME.copy()
    found = segment_volume(VOLUME, volume_model)
    assert (found.labels.dtype, found.labels.shape) == (np.int32, VOLUME.shape)
    assert (found.probabilities.dtype, found.probabilities.shape) == (np.float32, (1, *VOLUME.shape))
    assert found.labels.max() == 4
    assert iou(found.labels, TRUTH) > 0.99
    assert found.confidence is None
    assert found.usable is None
    np.testing.assert_array_equal(VOLUME, before)


def test_a_stack_is_segmented_as_a_volume_by_a_model_of_volumes_and_the_note_says_so(volume_model, tiny_model):
    as_volume = segment_stack(VOLUME, volume_model)
    np.testing.assert_array_equal(as_volume.labels, segment_volume(VOLUME, volume_model).labels)
    assert as_volume.notes[-1].startswith("Segmented as a volume by the model tiny_3d. The z step of the image was not")
    given = segment_stack(VOLUME, volume_model, Options(z_step_px=2.5)).notes[-1]
    assert "The planes lie 2.5 pixels apart, and the model knows 2." in given
    by_plane = segment_stack(VOLUME, load_model(tiny_model))
    assert by_plane.notes[-1].startswith("Segmented plane by plane by the model tiny, and the objects")


def test_images_and_models_of_images_are_refused_with_the_way_out(volume_model, tiny_model):
    with pytest.raises(ModelError, match=r"tiny_3d sees volumes \(3-D\), and this is an image of one plane.*stack"):
        segment_image(VOLUME[8], volume_model)
    with pytest.raises(ModelError, match=r"tiny sees images \(2-D\), not volumes.*segment_stack"):
        segment_volume(VOLUME, load_model(tiny_model))
    with pytest.raises(ImageError, match="planes, rows and columns are needed"):
        segment_volume(VOLUME[8], volume_model)
    with pytest.raises(OptionError, match="not cut into crops"):
        segment_volume(VOLUME, volume_model, Options(crop_px=64))


def test_tiles_give_what_the_whole_gives_seams_included(tmp_path):
    """The network sees 1 plane and 2 pixels a side, which its halo covers."""
    path = tmp_path / "mean.onnx"
    path.write_bytes(mean_volume_onnx(changed_volume_card(output={"halo": 2, "halo_planes": 1})))
    model = load_model(path, "cpu")
    whole = segment_volume(VOLUME, model, Options(scale=1.0))
    shapes, predict = [], model.predict

    def seen(batch):
        shapes.append(batch.shape)
        return predict(batch)

    tiled = segment_volume(
        VOLUME,
        SimpleNamespace(card=model.card, predict=seen),
        Options(scale=1.0, tile_shape=(32, 40), tile_planes=6, batch_size=2),
    )
    assert len(shapes) > 10
    assert all(shape[2] <= 6 and shape[3] <= 32 and shape[4] <= 40 for shape in shapes)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=2e-6)
    np.testing.assert_array_equal(tiled.labels, whole.labels)


def test_a_halo_that_is_too_small_shows_seams(tmp_path):
    """Otherwise the test above could not fail."""
    path = tmp_path / "mean.onnx"
    path.write_bytes(mean_volume_onnx(changed_volume_card(output={"halo": 0, "halo_planes": 0})))
    model = load_model(path, "cpu")
    whole = segment_volume(VOLUME, model, Options(scale=1.0))
    tiled = segment_volume(VOLUME, model, Options(scale=1.0, tile_shape=(32, 40), tile_planes=6))
    assert np.abs(tiled.probabilities - whole.probabilities).max() > 0.01


def test_the_z_step_decides_what_the_network_sees(volume_model):
    seen, flat = [], balls((6, 90, 100), ((1, 20, 20), (3, 50, 60)), 20, z_step_px=6.0)[0]

    def predict(batch):
        seen.append(batch.shape[2:])
        return volume_model.predict(batch)

    model = SimpleNamespace(card=volume_model.card, predict=predict)
    found = segment_volume(flat, model, Options(scale=1.0, z_step_px=6.0))
    assert set(seen) == {(18, 92, 100)}  # three times the planes
    assert found.labels.shape == flat.shape
    assert found.labels.max() == 2
    seen.clear()
    segment_volume(flat, model, Options(scale=0.5, z_step_px=6.0))
    assert set(seen) == {(10, 48, 52)}  # 1.5 times the planes, mirrored to multiples of 2


def test_progress_counts_tiles_and_its_error_ends_the_work(volume_model):
    counted = []

    def stop(done, total):
        counted.append((done, total))
        if done == 3:
            raise InterruptedError("enough")

    options = Options(scale=1.0, tile_shape=(32, 32), tile_planes=12, augmentation="flips", on_progress=stop)
    with pytest.raises(InterruptedError, match="enough"):
        segment_volume(VOLUME, volume_model, options)
    total = counted[0][1]
    assert total % 4 == 0  # four views
    assert counted == [(done, total) for done in range(4)]


@pytest.mark.parametrize("augmentation", ["flips", "flips and rotations"])
def test_views_in_the_plane_give_the_same_for_a_network_without_direction(volume_model, augmentation):
    plain = segment_volume(VOLUME, volume_model, Options(scale=1.0)).probabilities
    views = Options(scale=1.0, augmentation=augmentation)
    np.testing.assert_allclose(segment_volume(VOLUME, volume_model, views).probabilities, plain, atol=1e-6)
    other = Options(scale=1.0, view_scales=(0.8, 1.0))
    difference = np.abs(segment_volume(VOLUME, volume_model, other).probabilities - plain)
    assert 0.01 < difference.max() < 0.5
    assert difference.mean() < 0.01


def test_views_are_turned_in_the_plane_and_turned_back():
    seen = []

    def predict(batch):
        """See how far a voxel lies from the first row of the tile."""
        seen.append(batch.shape)
        return np.broadcast_to(np.linspace(0, 1, batch.shape[3], dtype=np.float32)[:, np.newaxis], batch.shape).copy()

    model = SimpleNamespace(card=card_from_content(changed_volume_card()), predict=predict)
    found = segment_volume(VOLUME, model, Options(scale=1.0, augmentation="flips"))
    np.testing.assert_allclose(found.probabilities, 0.5, atol=0.02)
    assert len(seen) == 4


def test_masks_and_voxels_that_are_not_finite_hold_no_object(volume_model):
    mask = np.ones(VOLUME.shape[1:], bool)
    mask[:40] = False
    for given in (mask, np.broadcast_to(mask, VOLUME.shape)):
        found = segment_volume(VOLUME, volume_model, Options(mask=given))
        assert found.labels.max() == 2
        assert not found.labels[:, :40].any()
        assert not found.probabilities[:, :, :40].any()
    holed = VOLUME.copy()
    holed[6:10, 40:60, 50:70] = np.nan
    found = segment_volume(holed, volume_model)
    assert not found.labels[6:10, 40:60, 50:70].any()
    np.testing.assert_array_equal(found.usable, np.isfinite(holed))


@pytest.mark.parametrize(
    "volume",
    [
        np.zeros((3, 20, 20)),
        np.full((3, 20, 20), np.nan),
        np.ones((1, 1, 1)),
        np.random.default_rng(0).random((5, 1, 9)),
    ],
)
def test_volumes_with_nothing_in_them_give_no_object(volume_model, volume):
    found = segment_volume(volume, volume_model)
    assert (found.labels.shape, found.labels.any()) == (volume.shape, False)
    assert not found.probabilities.any()
    assert found.notes[-1].startswith("Segmented as a volume")


def test_one_plane_is_a_volume_too(volume_model):
    found = segment_volume(VOLUME[8:9], volume_model, Options(scale=1.0, z_step_px=6.0))
    assert iou(found.labels, TRUTH[8:9]) > 0.95


def test_any_type_and_equal_colors_will_do(volume_model):
    expected = segment_volume(VOLUME, volume_model).labels
    stored = np.clip(VOLUME * 50000 + 5000, 0, 65535).astype(np.uint16)
    assert iou(segment_volume(stored, volume_model).labels, expected) > 0.999
    np.testing.assert_array_equal(segment_volume(np.stack([VOLUME] * 3, -1), volume_model).labels, expected)
    with pytest.raises(ImageError, match=r"stack has the shape \(.*, 2\), that is 2 channels, and the model takes 1 "):
        segment_volume(np.stack([VOLUME] * 2, -1), volume_model)


def test_several_channels_and_roles(tmp_path):
    card = changed_volume_card(input={"channels": ["nuclei", "membranes"]}, output={"roles": ["foreground", "border"]})
    path = tmp_path / "two.onnx"
    path.write_bytes(tiny_volume_onnx(card, channels=2, out_channels=2))
    found = segment_volume(np.stack([VOLUME, VOLUME], -1), load_model(path, "cpu"), Options(declump_method="none"))
    assert found.probabilities.shape == (2, *VOLUME.shape)
    assert found.labels.max() == 4


def test_the_threshold_and_the_outlines_are_those_that_are_asked_for(volume_model):
    blurred = ndimage.gaussian_filter(VOLUME, (1, 2, 2))

    def voxels(**options):
        return (segment_volume(blurred, volume_model, Options(scale=1.0, **options)).labels > 0).sum()

    plain = voxels()
    assert voxels(foreground_threshold=0.2) > plain > voxels(foreground_threshold=0.8)
    assert voxels(outline_level=0.1) > 1.05 * plain


def test_smallest_objects_are_voxels_of_the_networks_grid(volume_model):
    """At half the scale and a quarter of the planes, an object of the network is sixteen of the image."""
    volume, _ = balls((16, 90, 100), ((5, 30, 30), (8, 60, 70)), 20)
    settings = replace(volume_model.card.postprocessing, min_size_px=0)
    size = (segment_volume(volume, volume_model, Options(scale=1.0)).labels == 1).sum()
    for factor, left in ((1.2, 0), (0.8, 2)):
        for scale, planes in ((1.0, 1.0), (0.5, 0.5)):
            own = replace(settings, min_size_px=factor * size * scale**2 * planes)
            model = SimpleNamespace(card=replace(volume_model.card, postprocessing=own), predict=volume_model.predict)
            assert segment_volume(volume, model, Options(scale=scale)).labels.max() == left
