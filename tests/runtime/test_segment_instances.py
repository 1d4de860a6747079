"""Images to labels with a model that gives objects: known blobs, in one piece and by tile."""

from dataclasses import replace

import numpy as np
import pytest

from cpunet.errors import ModelError, OptionError
from cpunet.model.ensemble import average_models
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack
from tests.tiny_instances import MOST_OBJECTS, RADIUS_PX, blobs, instances_card, instances_onnx

CENTERS = [(40, 40), (40, 58), (100, 150), (180, 90), (120, 40)]
SHAPE = (200, 240)
OWN = Options(scale=1.0)


@pytest.fixture
def written(tmp_path):
    """Write a model, and open it."""

    def write(name="blobs.onnx", **how):
        path = tmp_path / name
        path.write_bytes(instances_onnx(**how))
        return load_model(path, "cpu")

    return write


def centers_of(labels):
    return [tuple(np.argwhere(labels == number).mean(axis=0)) for number in range(1, labels.max() + 1)]


def assert_found(labels, centers, within=1.5):
    found = centers_of(labels)
    assert len(found) == len(centers)
    for row, column in centers:
        assert min(np.hypot(row - y, column - x) for y, x in found) <= within


def test_each_blob_is_an_object_and_touching_ones_are_two(written):
    found = segment_image(blobs(SHAPE, CENTERS), written())
    assert_found(found.labels, [(40, 40 - 0.5), (40, 58 + 0.5), *CENTERS[2:]])
    assert found.labels[40, 48] == found.labels[40, 40]
    assert found.labels[40, 50] == found.labels[40, 58]
    area = np.bincount(found.labels.ravel())[3]
    assert area == pytest.approx(np.pi * RADIUS_PX**2, rel=0.15)
    assert found.labels.dtype == np.int32
    assert found.probabilities.shape == (1, *SHAPE)
    assert found.probabilities.min() >= 0
    assert found.probabilities.max() <= 1


def test_confidence_is_the_score_of_each_object_in_the_order_of_the_labels(written):
    bright = [1.0, 0.9, 0.6, 0.8, 0.7]
    centers = [(40, 40), (40, 120), (100, 150), (180, 90), (120, 40)]
    found = segment_image(blobs(SHAPE, centers, brightness=bright), written(card=unnormalized()), OWN)
    assert len(found.confidence) == found.labels.max() == 5
    for (row, column), score in zip(centers, bright):
        assert found.confidence[found.labels[row, column] - 1] == pytest.approx(score, abs=0.05)


def unnormalized(**sections):
    return instances_card(input={"normalization": {"kind": "none", "units": "zero_to_one"}}, **sections)


@pytest.mark.parametrize("tile", [64, 80, 96, 128])
def test_tiles_give_the_objects_of_the_whole(written, tile):
    rng = np.random.default_rng(0)
    centers = [
        (row + rng.integers(-4, 5), column + rng.integers(-4, 5))
        for row in range(20, 300, 30)
        for column in range(20, 340, 30)
    ]
    image, model = (
        blobs((300, 350), centers),
        written(card=instances_card(postprocessing={"max_objects": 200}), most=200),
    )
    whole = segment_image(image, model, replace(OWN, tile_shape=(400, 400)))
    tiled = segment_image(image, model, replace(OWN, tile_shape=(tile, tile)))
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-5)


@pytest.mark.parametrize("column", range(70, 100, 3))
def test_an_object_on_a_seam_is_one_and_whole(written, column):
    image, model = blobs((96, 170), [(50, column)]), written()
    found = segment_image(image, model, replace(OWN, tile_shape=(96, 96)))
    np.testing.assert_array_equal(found.labels, segment_image(image, model, OWN).labels)
    assert found.labels.max() == 1


def test_a_crowded_tile_is_cut_into_smaller_ones(written):
    centers = [(row, column) for row in range(15, 290, 26) for column in range(15, 290, 26)]
    found = segment_image(blobs((300, 300), centers, radius=9), written(), OWN)
    assert len(centers) > 4 * MOST_OBJECTS
    assert found.labels.max() == len(centers)
    assert found.notes == ()


def test_where_tiles_cannot_be_smaller_a_note_says_that_objects_may_be_missing(written):
    card = instances_card(input={"tile_shape": [128, 128]}, postprocessing={"max_objects": 4})
    centers = [(row, column) for row in range(15, 120, 26) for column in range(15, 120, 26)]
    found = segment_image(blobs((128, 128), centers), written(card=card, most=4), OWN)
    assert found.labels.max() == 4
    assert "gave 4 objects, the most that it can" in found.notes[0]


def test_nothing_is_found_where_there_is_nothing(written):
    model = written()
    for image in (np.zeros(SHAPE), np.ones((1, 1)), np.zeros((1, 50)), np.full(SHAPE, np.nan)):
        found = segment_image(image, model, OWN)
        assert not found.labels.any()
        assert len(found.confidence) == 0
    dim = blobs(SHAPE, CENTERS, brightness=0.2)
    found = segment_image(dim, written(card=unnormalized()), OWN)
    assert not found.labels.any()
    assert found.confidence.shape == (0,)


@pytest.mark.parametrize("shape", [(33, 17), (61, 129), (24, 300)])
def test_any_size(written, shape):
    found = segment_image(blobs(shape, [(shape[0] // 2, shape[1] // 2)]), written(), OWN)
    assert found.labels.shape == shape
    assert found.labels.max() == 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 70), (1, 300)])
def test_a_size_that_holds_no_object_gives_an_empty_or_small_result(written, shape):
    found = segment_image(np.random.default_rng(0).random(shape), written(), OWN)
    assert found.labels.shape == shape
    assert found.labels.max() == len(found.confidence)


def test_an_object_at_the_border_is_found_once_and_its_mirror_image_never(written):
    image = blobs((70, 90), [(35, 2), (69, 45), (20, 60)])
    found = segment_image(image, written(card=instances_card(input={"divisible_by": 32})), OWN)
    assert found.labels.max() == 3


def test_masked_pixels_belong_to_no_object(written):
    mask = np.ones(SHAPE, bool)
    mask[:, 50:] = False
    found = segment_image(blobs(SHAPE, CENTERS), written(), replace(OWN, mask=mask))
    assert_found(found.labels, [(40, 40), (120, 40)], within=2)
    assert not found.labels[~mask].any()
    assert not found.probabilities[:, ~mask].any()
    assert len(found.confidence) == 2


@pytest.mark.parametrize("factor", [0.25, 3.0], ids=["small", "large"])
def test_an_image_is_brought_to_the_diameter_that_the_model_knows(written, factor):
    card = instances_card(input={"diameter_px": 20.0, "diameter_low_px": 14.0, "diameter_high_px": 28.0})
    centers = [(row * factor, column * factor) for row, column in ((40, 40), (40, 90), (90, 60))]
    image = blobs((round(130 * factor), round(130 * factor)), centers, radius=RADIUS_PX * factor)
    found = segment_image(image, written(card=card), Options(diameter_px=20.0 * factor))
    assert found.scale == pytest.approx(1 / factor, rel=0.01)
    assert_found(found.labels, centers, within=max(1.0, factor))
    diameters = 2 * np.sqrt(np.bincount(found.labels.ravel())[1:] / np.pi)
    # torchvision rounds boxes outward, by about a pixel.
    np.testing.assert_allclose(diameters, 2 * RADIUS_PX * factor + 0.7, atol=0.7 + 0.04 * RADIUS_PX * factor)


def test_a_lower_threshold_makes_objects_larger(written):
    areas = [
        np.count_nonzero(
            segment_image(blobs(SHAPE, CENTERS[2:]), written(), replace(OWN, foreground_threshold=at)).labels
        )
        for at in (0.2, 0.5, 0.8)
    ]
    assert areas[0] > areas[1] > areas[2] > 0


def test_what_the_card_drops_is_dropped(written):
    image = blobs(SHAPE, CENTERS[2:], brightness=[1.0, 0.5, 0.9])
    strict = unnormalized(postprocessing={"score_threshold": 0.7})
    assert segment_image(image, written(card=strict), OWN).labels.max() == 2
    large = unnormalized(postprocessing={"min_size_px": 1000})
    found = segment_image(image, written(card=large), OWN)
    assert not found.labels.any()
    assert len(found.confidence) == 0


def test_a_stack_is_linked_and_its_confidence_is_the_mean_over_planes(written):
    card, empty = unnormalized(), np.zeros((70, 130), np.float32)
    one = blobs((70, 130), [(30, 30), (30, 90)], brightness=[1.0, 0.8])
    other = blobs((70, 130), [(31, 30)], brightness=[0.6])
    found = segment_stack(np.stack([empty, one, other, empty]), written(card=card), OWN)
    assert found.labels.max() == 2
    assert not found.labels[0].any()
    assert found.labels[1, 30, 30] == found.labels[2, 31, 30] == 1
    np.testing.assert_allclose(found.confidence, [0.8, 0.8], atol=0.06)
    assert found.probabilities.shape == (1, 4, 70, 130)


def test_views_and_ways_to_separate_objects_are_refused_with_the_way_out(written):
    model, image = written(), blobs(SHAPE, CENTERS)
    for option, message in (
        ({"augmentation": "flips"}, "--views"),
        ({"declump_method": "shape"}, "separate already"),
        ({"declump_method": "none"}, "--no-declump"),
        ({"min_distance_px": 5.0}, "separate already"),
    ):
        with pytest.raises(OptionError, match=message):
            segment_image(image, model, replace(OWN, **option))


def test_it_cannot_be_averaged(written):
    with pytest.raises(ModelError, match="gives objects and no probabilities"):
        average_models([written(), written("other.onnx")])


def test_probabilities_of_it_are_refused(written):
    with pytest.raises(ModelError, match="gives objects and no probabilities"):
        written().predict(np.zeros((1, 1, 64, 64), np.float32))


def test_progress_counts_the_tiles(written):
    seen = []
    segment_image(
        blobs(SHAPE, CENTERS),
        written(),
        replace(OWN, tile_shape=(128, 128), on_progress=lambda *each: seen.append(each)),
    )
    total = seen[-1][1]
    assert total > 1
    assert seen == [(done, total) for done in range(total + 1)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"outputs": ("boxes", "scores", "shapes")}, "(?s)outputs"),
        ({"card": instances_card(output={"kind": "probabilities"})}, "lacks the kind instances"),
        ({"card": instances_card(postprocessing={"max_objects": 2})}, "promises 2 at most"),
        ({"channels": 3}, "3 channels and its card names 1"),
    ],
    ids=["another name", "another kind", "more objects", "more channels"],
)
def test_a_file_whose_outputs_contradict_its_card_is_refused(written, how, message):
    with pytest.raises(ModelError, match=message):
        segment_image(blobs(SHAPE, CENTERS), written(**how), OWN)


def test_the_input_is_not_changed(written):
    image = blobs(SHAPE, CENTERS)
    before = image.copy()
    segment_image(image, written())
    np.testing.assert_array_equal(image, before)
