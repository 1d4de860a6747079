from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model
from cpunet.options import AUGMENTATIONS, Options
from cpunet.segment import segment_image
from cpunet.steps.predict import predict

IMAGE = np.random.default_rng(0).random((2, 7, 11)).astype(np.float32)
TURNS = {"none": [(0, 0)], "flips": [(0, 0), (0, 1), (2, 0), (2, 1)]}
TURNS["flips and rotations"] = [(turns, mirror) for turns in range(4) for mirror in (0, 1)]


def uneven(batch):
    """A network that prefers the upper left, and sees more to its right."""
    shifted = np.roll(batch, (1, 2), axis=(2, 3))
    ramp = np.linspace(0, 1, batch.shape[3], dtype=np.float32)
    return np.stack([shifted[:, 0], batch[:, 1] * ramp], axis=1)


def predicted(image, network, augmentation, usable=None, scale=1.0):
    """Predict in one tile, with a function as the network."""
    card = SimpleNamespace(
        output=SimpleNamespace(roles=("a", "b"), halo=0),
        input=SimpleNamespace(divisible_by=1, min_size=1, tile_shape=None),
    )
    return predict(
        image, usable, SimpleNamespace(card=card, predict=network), Options(augmentation=augmentation), scale
    )


def test_each_augmentation_has_its_views():
    assert {name: sorted(views) for name, views in AUGMENTATIONS.items()} == {
        name: sorted((turns, bool(mirror)) for turns, mirror in views) for name, views in TURNS.items()
    }


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_the_mean_equals_that_of_all_views_turned_back_by_hand(augmentation):
    views = []
    for turns, mirror in TURNS[augmentation]:
        seen = []
        for plane in IMAGE:
            for _ in range(turns):
                plane = plane.T[::-1]  # a quarter turn to the left
            seen.append(plane[::-1] if mirror else plane)
        back = []
        for plane in uneven(np.stack(seen)[np.newaxis])[0]:
            plane = plane[::-1] if mirror else plane
            for _ in range(turns):
                plane = plane.T[:, ::-1]
            back.append(plane)
        views.append(np.stack(back))
    found = predicted(IMAGE, uneven, augmentation)
    assert found.shape == IMAGE.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(views, axis=0), rtol=1e-5)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_what_knows_no_direction_is_not_changed(augmentation):
    def blur(batch):
        return ndimage.uniform_filter(batch, (1, 1, 3, 3), mode="nearest")

    np.testing.assert_allclose(predicted(IMAGE, blur, augmentation), blur(IMAGE[np.newaxis])[0], rtol=1e-5)


def test_an_augmented_prediction_turns_with_the_image():
    turned = np.rot90(IMAGE, axes=(1, 2))
    found = predicted(turned, uneven, "flips and rotations")
    expected = np.rot90(predicted(IMAGE, uneven, "flips and rotations"), axes=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not np.allclose(predicted(turned, uneven, "none"), np.rot90(uneven(IMAGE[np.newaxis])[0], axes=(1, 2)))


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_the_network_never_sees_a_strided_array_and_the_image_is_not_changed(augmentation):
    before = IMAGE.copy()

    def strict(batch):
        assert batch.flags.c_contiguous
        batch[:] = 0
        return batch

    predicted(IMAGE, strict, augmentation)
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_probabilities_lie_on_the_images_own_grid_and_are_zero_where_nothing_is_usable(scale):
    usable = np.ones(IMAGE.shape[1:], bool)
    usable[2:4, 5:] = False
    shapes = []

    def network(batch):
        shapes.append(batch.shape[2:])
        return np.ones_like(batch)

    found = predicted(IMAGE, network, "none", usable, scale)
    assert shapes == [(max(1, round(7 * scale)), max(1, round(11 * scale)))]
    np.testing.assert_array_equal(found, np.broadcast_to(usable, IMAGE.shape))


FIELD = synthetic_field((121, 150), columns=4, diameter_px=20)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("scale", [None, 0.7])
def test_objects_are_found_in_any_tiles(tiny_model, augmentation, scale):
    model = load_model(tiny_model)
    plain = segment_image(FIELD.image, model, Options(scale=scale))
    found = segment_image(
        FIELD.image, model, Options(scale=scale, augmentation=augmentation, tile_shape=(32, 48), batch_size=2)
    )
    np.testing.assert_allclose(found.probabilities, plain.probabilities, atol=1e-5 if scale is None else 1e-3)
    assert found.labels.max() == plain.labels.max() == FIELD.labels.max()


def test_the_passes_that_measure_the_size_are_not_augmented(tiny_model):
    model = load_model(tiny_model)
    calls = []

    class Counting:
        card = model.card

        def predict(self, batch):
            calls.append(batch.shape)
            return model.predict(batch)

    segment_image(FIELD.image, Counting(), Options(augmentation="flips"))
    assert len(calls) == 1 + 4


@pytest.mark.parametrize(("augmentation", "views"), [("none", 1), ("flips", 4), ("flips and rotations", 8)])
def test_progress_counts_the_tiles_of_all_views(tiny_model, augmentation, views):
    reports = []
    options = Options(
        scale=1.0,
        augmentation=augmentation,
        tile_shape=(64, 64),
        batch_size=2,
        on_progress=lambda done, total: reports.append((done, total)),
    )
    segment_image(FIELD.image, load_model(tiny_model), options)
    done, totals = zip(*reports)
    assert done[0] == 0
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]} == {views * 2 * 3}


def test_what_progress_raises_ends_the_work_between_tiles(tiny_model):
    model = load_model(tiny_model)
    calls = []

    class StoppedError(Exception):
        pass

    class Counting:
        card = model.card

        def predict(self, batch):
            calls.append(batch.shape)
            return model.predict(batch)

    def stop(done, total):
        if done >= 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        segment_image(FIELD.image, Counting(), Options(scale=1.0, tile_shape=(64, 64), on_progress=stop))
    assert len(calls) == 2
