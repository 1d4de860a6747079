"""Views of an image at several scales, and in crops that overlap."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import OptionError
from cpunet.model.session import load_model
from cpunet.options import Options, check_options
from cpunet.segment import segment_image
from cpunet.steps.predict import crop_starts, predict, predict_in_crops
from cpunet.steps.resize import rescale, resize_planes

IMAGE = np.random.default_rng(0).random((2, 90, 130)).astype(np.float32)
FIELD = synthetic_field((121, 150), columns=4, diameter_px=20)


def model_of(network):
    card = SimpleNamespace(
        output=SimpleNamespace(roles=("a", "b"), halo=0),
        input=SimpleNamespace(divisible_by=1, min_size=1, tile_shape=None),
    )
    return SimpleNamespace(card=card, predict=network)


def edges(batch):
    """A network that sees three pixels, and does not know what lies beyond what it is shown."""
    return ndimage.uniform_filter(batch, (1, 1, 3, 3), mode="constant")


def test_scales_are_the_mean_of_each_scale_by_itself():
    model = model_of(edges)
    found = predict(IMAGE, None, model, Options(view_scales=(0.8, 1.0, 1.25)), 1.5)
    each = [
        resize_planes(edges(rescale(IMAGE, 1.5 * factor)[np.newaxis])[0], IMAGE.shape[1:])
        for factor in (0.8, 1.0, 1.25)
    ]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)
    assert not np.allclose(found, each[1], atol=1e-3)


@pytest.mark.parametrize(("size", "side"), [(100, 40), (101, 40), (64, 64), (65, 64), (1000, 64), (10, 64), (127, 64)])
def test_crops_cover_an_axis_and_overlap_by_half_or_more(size, side):
    starts = crop_starts(size, side)
    assert starts[0] == 0
    assert starts[-1] == max(0, size - side)
    assert all(0 < later - earlier <= -(-side // 2) for earlier, later in zip(starts, starts[1:]))


def test_crops_do_not_change_what_needs_no_surroundings():
    found = predict_in_crops(IMAGE, model_of(lambda batch: batch**2), 64)
    np.testing.assert_allclose(found, IMAGE**2, rtol=1e-5)


def test_of_overlapping_crops_the_middle_weighs_more_than_the_edge():
    plane = np.zeros((2, 64, 96), np.float32)
    side = 64
    seen = []

    def numbered(batch):
        seen.append(batch.shape)
        return np.full_like(batch, len(seen))

    found = predict_in_crops(plane, model_of(numbered), side)
    assert seen == [(1, 2, 64, 64)] * 2
    row = found[0, 10]
    assert (row[:32] == 1).all()
    assert (row[64:] == 2).all()
    # Where both see a pixel, the first counts less the nearer its right edge is.
    assert (np.diff(row[31:65]) > 0).all()
    assert row[47] + row[48] == pytest.approx(3)


def test_a_crop_sees_nothing_beyond_its_edge():
    whole = edges(IMAGE[np.newaxis])[0]
    found = predict_in_crops(IMAGE, model_of(edges), 64)
    at_edge = np.zeros(IMAGE.shape[1:], bool)
    for axis, size in enumerate(at_edge.shape):
        for start in crop_starts(size, 64):
            for place in {start, start + 63} - {0, size - 1}:
                at_edge.swapaxes(0, axis)[place] = True
    np.testing.assert_allclose(found[:, ~at_edge], whole[:, ~at_edge], rtol=1e-4)
    assert (np.abs(found - whole)[:, at_edge] > 1e-6).mean() > 0.9


@pytest.mark.parametrize(
    "views", [{"view_scales": (0.8, 1.0, 1.25)}, {"crop_px": 64}, {"crop_px": 64, "augmentation": "flips"}]
)
def test_objects_are_found_in_all_views(tiny_model, views):
    model = load_model(tiny_model)
    plain = segment_image(FIELD.image, model)
    calls = []

    class Counting:
        card = model.card

        def predict(self, batch):
            calls.append(batch.shape)
            return model.predict(batch)

    found = segment_image(FIELD.image, Counting(), Options(**views))
    assert found.labels.max() == plain.labels.max() == FIELD.labels.max()
    assert len(calls) > 3  # the first is that which measures the size, in one view


def test_progress_counts_the_tiles_of_all_views(tiny_model):
    reports = []
    options = Options(
        scale=1.0, view_scales=(1.0, 0.5), crop_px=64, on_progress=lambda done, total: reports.append((done, total))
    )
    segment_image(FIELD.image, load_model(tiny_model), options)
    done = [part / total for part, total in reports]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"view_scales": ()}, "there must be one at least; the factors are none"),
        ({"view_scales": (1.0, 3.0)}, "by a factor of 0.5 to 2, and .* the factors are 1.0, 3.0"),
        ({"view_scales": (float("nan"),)}, "the factors are nan"),
        ({"crop_px": 20}, "Crops must be 64 pixels wide or more; they are 20"),
    ],
)
def test_views_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(OptionError, match=said):
        check_options(Options(**wrong))
