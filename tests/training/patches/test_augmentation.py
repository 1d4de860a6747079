from dataclasses import fields, replace

import numpy as np
import pytest
from monai.transforms.utils import create_grid
from scipy import ndimage

import cpunet.training.patches.augmentation as augmentation_module
from cpunet.checks.synthetic import synthetic_field
from cpunet.steps.filters import touching_border
from cpunet.training.data.labeled_images import object_diameters
from cpunet.training.patches.augmentation import (
    LIMITS,
    PRESETS,
    Augmentation,
    Patch,
    augment,
    crop_at_random,
    empty_patch,
    label_pieces,
    quantize,
    uneven_light,
)

DRAWN = synthetic_field((160, 180), columns=5, diameter_px=24, touching=False)
FIELD = Patch(DRAWN.image[np.newaxis], DRAWN.labels)
# Flips and turns alone.
PLAIN = replace(PRESETS["gentle"], scale_low=1, scale_high=1, shear=0, shift_px=0)
# A warped patch at this zoom shows only what its source holds, and is cut from all of a field of its own size.
ZOOMED = replace(PLAIN, scale_low=1.7, scale_high=1.7)
SIZE = 96
SEEDS = range(16)


def draw(augmentation, seed, size=SIZE, field=FIELD):
    return augment(field, augmentation, size, np.random.default_rng(seed))


def field_of(mask):
    """A field with one bright object."""
    return Patch((0.1 + 0.8 * mask)[np.newaxis].astype(np.float32), mask.astype(np.int32))


def disc(radius):
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return y**2 + x**2 < radius**2


def neighbors(labels):
    """Pairs of objects that share a pixel's side."""
    sides = ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))
    return {tuple(sorted(pair)) for a, b in sides for pair in zip(a[(a != b) & (a * b > 0)], b[(a != b) & (a * b > 0)])}


def test_the_same_seed_gives_the_same_patch():
    for name, preset in PRESETS.items():
        first, again, other = draw(preset, 5), draw(preset, 5), draw(preset, 6)
        np.testing.assert_array_equal(first.image, again.image, name)
        np.testing.assert_array_equal(first.labels, again.labels, name)
        assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_patches_of_the_right_kind_and_leaves_its_source(name):
    source = Patch(FIELD.image.copy(), FIELD.labels.copy())
    for seed in SEEDS:
        patch = draw(PRESETS[name], seed, field=source)
        assert (patch.image.shape, patch.image.dtype) == ((1, SIZE, SIZE), np.float32)
        assert (patch.labels.shape, patch.labels.dtype) == ((SIZE, SIZE), np.int32)
        assert np.isfinite(patch.image).all()
        assert set(np.unique(patch.labels)) == set(range(patch.labels.max() + 1))
        whole = Patch(source.image[:, :SIZE, :SIZE], source.labels[:SIZE, :SIZE])
        draw(PRESETS[name], seed, field=whole)
    np.testing.assert_array_equal(source.image, FIELD.image)
    np.testing.assert_array_equal(source.labels, FIELD.labels)


@pytest.mark.parametrize("seed", range(6))
def test_image_and_labels_move_together(seed):
    patch = draw(PLAIN, seed)
    assert patch.labels.any()
    inside, outside = patch.image[0][patch.labels > 0], patch.image[0][patch.labels == 0]
    assert np.median(inside) > 3 * np.median(outside)
    # the middle of what is bright is where the labels are
    bright = patch.image[0] > 0.25
    assert 2 * (bright & (patch.labels > 0)).sum() / (bright.sum() + (patch.labels > 0).sum()) > 0.85


def test_a_patch_that_is_not_warped_holds_the_very_pixels_of_its_source():
    # Every pixel has an intensity of its own, so that a single blend would show.
    size = 33
    ramp = np.arange(40 * 47, dtype=np.float32).reshape(1, 40, 47)
    source = Patch(ramp, np.ones((40, 47), np.int32))
    exact, layouts = 0, set()
    for seed in range(400):
        image = draw(PLAIN, seed, size, source).image[0]
        if np.array_equal(image, np.rint(image)):
            exact += 1
            steps = image[0, 1] - image[0, 0], image[1, 0] - image[0, 0]
            assert sorted(np.abs(steps)) == [1, 47]
            assert len(np.unique(image)) == size * size
            layouts.add(tuple(int(step) for step in steps))
    assert 0.2 < exact / 400 < 0.3
    # flipped and turned by quarters, all eight ways
    assert len(layouts) == 8


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_turns_by_any_angle(name):
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    bar = field_of((np.abs(y) < 8) & (np.abs(x) < 24))
    angles = []
    for seed in range(40):
        labels = draw(replace(PRESETS[name], clump_fraction=0, empty_fraction=0), seed, field=bar).labels
        y, x = np.nonzero(labels == np.bincount(labels.ravel())[1:].argmax() + 1)
        (yy, xy), (_, xx) = np.cov(y, x)
        angles.append(np.degrees(np.arctan2(2 * xy, xx - yy) / 2) % 180)
    assert len(set(np.round(angles) // 20)) >= 7


def test_zoom_changes_the_objects_size(monkeypatch):
    monkeypatch.setattr(augmentation_module, "WARPED_FRACTION", 1.0)

    def diameter(zoom):
        """Median, of whole objects."""
        found = []
        for seed in range(12):
            labels = draw(replace(PLAIN, scale_low=zoom, scale_high=zoom), seed).labels
            found += list(object_diameters(np.where(touching_border(labels)[labels], 0, labels)))
        return np.median(found)

    assert diameter(1.6) / diameter(0.8) == pytest.approx(2, rel=0.1)


def shapes_of_a_disc(augmentation):
    """How far from the middle a disc comes to lie, pixels, and how much longer than wide it is."""
    offsets, elongations = [], []
    for seed in SEEDS:
        labels = draw(augmentation, seed, field=field_of(disc(20))).labels
        y, x = np.nonzero(labels)
        offsets.append(np.hypot(y.mean() - (SIZE - 1) / 2, x.mean() - (SIZE - 1) / 2))
        lengths = np.sqrt(np.linalg.eigvalsh(np.cov(y, x)))
        elongations.append(lengths[1] / lengths[0])
    return max(offsets), max(elongations)


def test_shift_moves_and_shear_lengthens():
    offset, elongation = shapes_of_a_disc(ZOOMED)
    assert offset < 1
    assert elongation < 1.05
    offset, elongation = shapes_of_a_disc(replace(ZOOMED, shift_px=6))
    # 6 pixels of the source along both axes: further than along one
    assert 6 * 1.7 + 0.5 < offset < 6 * 1.7 * np.sqrt(2) + 1
    assert elongation < 1.05
    offset, elongation = shapes_of_a_disc(replace(ZOOMED, shear=0.3))
    assert offset < 1
    assert elongation > 1.2


def straightness_of_an_edge(augmentation):
    """Largest distance, over patches, of an edge's pixels from a straight line; and whether labels follow the image."""
    half = field_of(np.arange(SIZE)[:, np.newaxis] + np.zeros(SIZE) < SIZE / 2)
    away = []
    for seed in SEEDS:
        patch = draw(augmentation, seed, field=half)
        inside = patch.labels > 0
        assert ((patch.image[0] > 0.5) != inside).mean() < 0.01
        points = np.argwhere(inside & ~ndimage.binary_erosion(inside, border_value=1)).astype(float)
        points -= points.mean(axis=0)
        away.append(np.abs(points @ np.linalg.svd(points, full_matrices=False)[2][1]).max())
    return max(away)


def test_elastic_alone_bends_outlines_of_image_and_labels_alike():
    assert straightness_of_an_edge(replace(ZOOMED, shear=0.15, shift_px=6)) < 1.5
    assert 2 < straightness_of_an_edge(replace(ZOOMED, elastic_px=8)) < 16


def test_elastic_keeps_the_labels_numbers_whole():
    labels = draw(replace(PLAIN, elastic_px=8), 1).labels
    assert labels.max() > 4
    assert ndimage.label(labels == 1)[1] == 1


# What each change of intensity does to a field of two gray halves and to it alone.
HALVES = Patch(
    np.repeat([0.2, 0.7], SIZE // 2)[np.newaxis, :, np.newaxis].astype(np.float32) * np.ones(SIZE, np.float32),
    np.ones((SIZE, SIZE), np.int32),
)


def changed(**options):
    """Patches of the two halves on which something was changed."""
    augmentation = replace(PLAIN, **options)
    patches = [draw(augmentation, seed, field=HALVES) for seed in range(40)]
    images = [patch.image[0] for patch in patches]
    plain = [draw(PLAIN, seed, field=HALVES).image[0] for seed in range(40)]
    assert all((patch.labels == 1).all() for patch in patches)
    found = [
        (image, before)
        for image, before in zip(images, plain, strict=True)
        # not warped, so that there are two grays alone
        if len(np.unique(before)) == 2 and not np.array_equal(image, before)
    ]
    assert found
    return found


def fine(image):
    """Standard deviation of what neighboring pixels differ by."""
    return max(np.diff(image, axis=0).std(), np.diff(image, axis=1).std())


def sharpness(image):
    return max(np.abs(np.diff(image, axis=0)).max(), np.abs(np.diff(image, axis=1)).max())


def test_plain_changes_no_intensity():
    for seed in SEEDS:
        values = np.unique(draw(PLAIN, seed, field=HALVES).image)
        assert values.min() >= np.float32(0.2)
        assert values.max() <= np.float32(0.7)


def test_gamma_keeps_the_range_and_moves_what_lies_between():
    for seed in SEEDS:
        image = draw(replace(PLAIN, gamma_low=2, gamma_high=2), seed, field=FIELD).image
        before = draw(PLAIN, seed, field=FIELD).image
        assert image.min() == pytest.approx(before.min(), abs=1e-5)
        assert image.max() == pytest.approx(before.max(), abs=1e-5)
        low, high = before.min(), before.max()
        assert np.allclose(image, before) or np.allclose(
            (image - low) / (high - low), ((before - low) / (high - low)) ** 2, atol=1e-4
        )
    assert any(
        draw(replace(PLAIN, gamma_low=2, gamma_high=2), seed).image.mean() < 0.8 * draw(PLAIN, seed).image.mean()
        for seed in SEEDS
    )


def test_brightness_multiplies_every_patch_by_one_factor():
    pairs = changed(brightness_low=0.5, brightness_high=0.6)
    factors = [image / before for image, before in pairs]
    assert all(np.ptp(factor) < 1e-6 for factor in factors)
    assert all(0.5 <= factor.mean() <= 0.6 for factor in factors)


def test_contrast_keeps_the_mean_and_changes_the_spread():
    spreads = []
    for image, before in changed(contrast=0.5):
        assert image.mean() == pytest.approx(before.mean(), abs=1e-5)
        assert len(np.unique(image)) == 2
        spreads.append(image.std() / before.std())
    assert min(spreads) < 0.9
    assert max(spreads) > 1.1
    assert all(0.5 <= spread <= 1.5 for spread in spreads)


def test_contrast_keeps_the_mean_of_each_channel():
    two = Patch(np.concatenate([FIELD.image, 5 + FIELD.image]), FIELD.labels)
    for seed in SEEDS:
        image, before = (draw(each, seed, field=two).image for each in (replace(PLAIN, contrast=0.5), PLAIN))
        np.testing.assert_allclose(image.mean(axis=(1, 2)), before.mean(axis=(1, 2)), atol=1e-4)


def test_noise_is_fine_grained_and_blur_takes_sharpness_away():
    for image, before in changed(noise=0.3):
        assert fine(image - before) > 1.2 * (image - before).std()
        assert image.mean() == pytest.approx(before.mean(), abs=0.02)
    for image, before in changed(blur_px=2):
        assert sharpness(image) <= sharpness(before)
        assert image.mean() == pytest.approx(before.mean(), abs=0.02)
    assert min(sharpness(image) for image, _ in changed(blur_px=2)) < 0.25


def test_illumination_is_smooth_and_uneven():
    flat = Patch(np.full((1, SIZE, SIZE), 0.5, np.float32), np.ones((SIZE, SIZE), np.int32))
    ranges = []
    for seed in range(30):
        image = draw(replace(PLAIN, illumination=0.5), seed, field=flat).image[0]
        ranges.append(np.ptp(image))
        # no jump from pixel to pixel: all of it is at low frequencies
        assert sharpness(image) <= 0.05 * max(ranges[-1], 1e-6)
    assert sum(each > 0.1 for each in ranges) > 5
    assert max(ranges) <= 1 + 1e-6


def test_uneven_light_never_darkens_the_background_below_none():
    for seed in SEEDS:
        light = uneven_light(np.zeros((1, 32, 40), np.float32), 0.5, np.random.default_rng(seed))
        assert light.dtype == np.float32
        assert light.min() == pytest.approx(0, abs=1e-6)


def test_lowest_bits_leaves_few_gray_levels():
    counts = []
    for seed in range(30):
        image = draw(replace(PLAIN, lowest_bits=3), seed).image
        before = draw(PLAIN, seed).image
        assert np.abs(image - before).max() <= 0.5 / 7 + 1e-6
        if not np.array_equal(image, before):
            counts.append(len(np.unique(image)))
    assert min(counts) <= 8
    assert 8 < max(counts) <= 256


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_quantize_rounds_to_the_nearest_of_the_levels(bits):
    values = np.linspace(0, 1, 5000, dtype=np.float32)
    levels = np.arange(2**bits) / (2**bits - 1)
    nearest = levels[np.abs(values[:, np.newaxis] - levels).argmin(axis=1)]
    wrong = np.abs(quantize(values, bits) - nearest) > 1e-6
    # but for values halfway between two levels
    assert wrong.mean() < 0.005
    assert len(np.unique(quantize(values, bits))) == 2**bits


def test_clump_fraction_makes_objects_touch():
    assert not neighbors(FIELD.labels)
    with_clumps = [draw(replace(PLAIN, clump_fraction=1), seed).labels for seed in SEEDS]
    without = [draw(PLAIN, seed).labels for seed in SEEDS]
    # a mirrored border may make a patch of its own objects touch now and then
    assert sum(bool(neighbors(labels)) for labels in without) <= 4
    assert sum(bool(neighbors(labels)) for labels in with_clumps) >= 12
    assert sum(labels.max() for labels in with_clumps) > sum(labels.max() for labels in without) + len(SEEDS)


def test_a_small_image_is_mirrored_to_the_patch():
    small = Patch(FIELD.image[:, :50, :40], FIELD.labels[:50, :40])
    cut = crop_at_random(small, 96, np.random.default_rng(0))
    assert cut.image.shape == (1, 96, 96)
    np.testing.assert_array_equal(cut.labels[:50, :40], small.labels)
    np.testing.assert_array_equal(cut.labels[50:90, :40], small.labels[9:49][::-1])


def test_a_warp_mirrors_the_border():
    bright = Patch(np.full((1, SIZE, SIZE), 0.5, np.float32), np.ones((SIZE, SIZE), np.int32))
    for seed in SEEDS:
        patch = draw(replace(PLAIN, shear=0.3, shift_px=40, elastic_px=16), seed, field=bright)
        np.testing.assert_allclose(patch.image, 0.5, atol=1e-5)
        assert (patch.labels == 1).all()


def colors(red, green, blue):
    """A field of one color."""
    image = np.array([red, green, blue], np.float32).reshape(3, 1, 1)
    return Patch(np.tile(image, (1, SIZE, SIZE)), np.ones((SIZE, SIZE), np.int32))


def test_gray_takes_the_mean_of_the_channels():
    patch = draw(replace(PLAIN, gray_fraction=1), 1, field=colors(0.1, 0.3, 0.8))
    np.testing.assert_allclose(patch.image, 0.4, rtol=1e-6)


def test_inversion_makes_dark_bright():
    patch = draw(replace(PLAIN, invert_fraction=1), 1, field=colors(0.1, 0.3, 0.8))
    np.testing.assert_allclose(patch.image[:, 0, 0], [0.9, 0.7, 0.2], rtol=1e-6)


def test_gray_and_inversion_reach_their_share_of_the_patches():
    source = colors(0.1, 0.3, 0.8)
    drawn = [
        draw(replace(PLAIN, gray_fraction=0.5, invert_fraction=0.25), seed, 32, source).image[:, 0, 0]
        for seed in range(200)
    ]
    gray = np.mean([np.ptp(color) < 1e-6 for color in drawn])
    inverted = np.mean([color.mean() > 0.5 for color in drawn])
    assert 0.4 < gray < 0.6
    assert 0.15 < inverted < 0.35


def test_color_changes_each_channel_by_a_factor_of_its_own():
    found = np.array([draw(replace(PLAIN, color=0.3), seed, 32, colors(1, 1, 1)).image[:, 0, 0] for seed in range(200)])
    changed = found[np.ptp(found, axis=1) > 0]
    assert 0.4 < len(changed) / len(found) < 0.6
    assert 0.7 <= changed.min() < 0.75
    assert 1.25 < changed.max() <= 1.3
    assert np.abs(np.corrcoef(changed.T)[np.triu_indices(3, 1)]).max() < 0.3


@pytest.mark.parametrize("size", [32, 33])
def test_a_warp_that_moves_nothing_keeps_the_very_pixels(monkeypatch, size):
    # Its source is larger than the patch: half a pixel between their middles would blur everything.
    monkeypatch.setattr(augmentation_module, "WARPED_FRACTION", 1.0)
    monkeypatch.setattr(
        augmentation_module,
        "_sampling_grid",
        lambda augmentation, size, zoom, rng, state: create_grid((size, size), dtype=np.float32, backend="torch"),
    )
    ramp = np.arange(60 * 71, dtype=np.float32).reshape(1, 60, 71)
    for seed in range(10):
        image = draw(PLAIN, seed, size, Patch(ramp, np.ones((60, 71), np.int32))).image[0]
        np.testing.assert_allclose(image, np.rint(image), atol=1e-3)
        assert len(np.unique(np.rint(image))) == size * size


def test_pieces_of_one_object_become_two():
    labels = np.array([[4, 4, 0, 4], [4, 0, 0, 4], [0, 0, 9, 9]], np.int32)
    np.testing.assert_array_equal(label_pieces(labels), [[1, 1, 0, 2], [1, 0, 0, 2], [0, 0, 3, 3]])


def test_empty_patches_hold_noise_and_no_object():
    patch = empty_patch(2, 64, np.random.default_rng(0))
    assert patch.image.shape == (2, 64, 64)
    assert patch.image.std() > 0.1
    assert not patch.labels.any()
    always = replace(PLAIN, empty_fraction=1.0)
    assert not draw(always, 1).labels.any()


def test_presets_say_what_their_names_do():
    gentle, standard, heavy, broad = (PRESETS[name] for name in ("gentle", "standard", "heavy", "broad"))
    assert standard == Augmentation()
    geometry = {"scale_low", "scale_high", "shear", "shift_px"}
    # No preset but broad, which is for bright nuclei, knows what the images show.
    of_color = {"color", "gray_fraction", "invert_fraction", "stain_fraction", "stain_jitter"}
    of_color |= {"color_transfer_fraction", "stain_inverted_fraction"}
    of_nuclei = {
        field.name for field in fields(Augmentation) if getattr(broad, field.name) and not getattr(heavy, field.name)
    }
    # Off in all presets: what is trained blurred is drawn wide, also where the image is sharp.
    of_nuclei.add("defocus_fraction")
    assert of_nuclei == {
        "defocus_fraction",
        "tissue_fraction",
        "spots_fraction",
        "cytoplasm_fraction",
        "debris_fraction",
        "fiber_fraction",
        "black_fraction",
        "sparse_fraction",
        "haze",
    }
    for field in fields(Augmentation):
        if field.name not in geometry:
            off = 1 if field.name.endswith(("_low", "_high")) else 0
            assert getattr(gentle, field.name) == off, field.name
        # heavy is standard and more
        if getattr(standard, field.name):
            assert getattr(heavy, field.name) == getattr(standard, field.name), field.name
        if field.name not in of_color | of_nuclei:
            assert getattr(heavy, field.name) > 0, field.name
    assert gentle.shear > 0
    assert gentle.shift_px > 0
    assert gentle.scale_low < 1 < gentle.scale_high


def test_without_cut_out_nuclei_there_is_no_tissue():
    tissue = replace(PLAIN, tissue_fraction=1.0)
    np.testing.assert_array_equal(draw(tissue, 3).labels > 0, draw(PLAIN, 3).labels > 0)


def test_every_field_has_limits():
    assert set(LIMITS) == {field.name for field in fields(Augmentation)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_low": 0}, "scale_low: must lie between 0.1 and 10; it is 0"),
        ({"scale_low": 2.0, "scale_high": 1.0}, "scale_low: must not be larger than scale_high"),
        ({"gamma_low": 3}, "gamma_low: must not be larger than gamma_high"),
        ({"brightness_low": 2}, "brightness_low: must not be larger than brightness_high"),
        ({"empty_fraction": 1.5}, "empty_fraction: must lie between 0 and 1"),
        ({"clump_fraction": -0.1}, "clump_fraction"),
        ({"noise": float("nan")}, "noise: .* it is nan"),
        ({"blur_px": -1}, "blur_px"),
        ({"shear": float("inf")}, "shear"),
        ({"shift_px": -1}, "shift_px"),
        ({"elastic_px": 40}, "elastic_px: must lie between 0 and 16"),
        ({"contrast": 1}, "contrast"),
        ({"illumination": 1}, "illumination"),
        ({"lowest_bits": 9}, "lowest_bits: must lie between 0 and 8"),
        ({"color": 1}, "color"),
        ({"gray_fraction": 1.1}, "gray_fraction: must lie between 0 and 1"),
        ({"invert_fraction": -0.1}, "invert_fraction"),
        ({"lowest_bits": 1}, "lowest_bits: one bit"),
    ],
)
def test_what_cannot_be_is_refused_by_the_fields_name(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)
