import numpy as np

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches.stain import is_stained, jitter_stain, recolor_as_stain

DRAWN = synthetic_field((96, 96), columns=3, diameter_px=20, touching=False, seed=3)
FLUORESCENT = np.repeat(DRAWN.image[np.newaxis].astype(np.float32), 3, axis=0)


def test_recolored_nuclei_are_dark_on_a_bright_background():
    for seed in range(5):
        stained = recolor_as_stain(FLUORESCENT, np.random.default_rng(seed))
        assert stained.shape == FLUORESCENT.shape
        assert stained.dtype == np.float32
        inside = DRAWN.labels > 0
        assert np.median(stained[:, inside]) < np.median(stained[:, ~inside])
        assert is_stained(stained)
    assert not is_stained(FLUORESCENT)


def test_gray_images_are_never_stained():
    assert not is_stained(np.ones((1, 8, 8), np.float32))


def test_jitter_changes_colors_and_keeps_what_is_dark_dark():
    stained = recolor_as_stain(FLUORESCENT, np.random.default_rng(0))
    jittered = jitter_stain(stained, 0.35, np.random.default_rng(1))
    np.testing.assert_array_equal(jittered, jitter_stain(stained, 0.35, np.random.default_rng(1)))
    assert np.abs(jittered - np.clip(stained, 0.02, None)).max() > 0.03
    for before, after in zip(stained, jittered):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.7


def test_without_strength_only_the_darkest_values_change():
    stained = np.clip(recolor_as_stain(FLUORESCENT, np.random.default_rng(0)), 0.02, None)
    np.testing.assert_allclose(jitter_stain(stained, 0.0, np.random.default_rng(0)), stained, rtol=1e-5)
