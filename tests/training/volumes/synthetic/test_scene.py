import numpy as np
import pytest
from skimage.measure import label, regionprops

from cpunet.errors import ConfigError
from cpunet.training.volumes.synthetic.arrangements import ARRANGEMENTS, EMPTY, MOST_NUCLEI, place
from cpunet.training.volumes.synthetic.camera import recorded
from cpunet.training.volumes.synthetic.recipe import VolumeRecipe
from cpunet.training.volumes.synthetic.scene import make_volume, whole_objects

WITH_NUCLEI = [kind for kind in ARRANGEMENTS if kind != EMPTY]
SMALL = {"shape": (16, 48, 64), "diameters_px": (10, 16), "z_steps_px": (1.5, 3)}


@pytest.mark.parametrize("kind", WITH_NUCLEI)
def test_each_arrangement_gives_a_volume_whose_labels_are_its_nuclei(plain, kind):
    made = make_volume(VolumeRecipe(**SMALL, arrangements={kind: 1.0}), plain, np.random.default_rng(4))
    assert made.arrangement == kind
    assert made.image.shape == made.labels.shape == (16, 48, 64)
    assert made.image.dtype in (np.uint8, np.uint16)
    numbers = np.unique(made.labels)
    assert numbers.tolist() == list(range(len(numbers)))
    assert len(numbers) > 1
    for region in regionprops(made.labels):
        assert label(region.image, connectivity=3).max() == 1
    assert made.image[made.labels > 0].mean() > made.image[made.labels == 0].mean()
    assert 1.5 <= made.size.z_step_px <= 3


@pytest.mark.parametrize("seed", range(4))
def test_an_empty_volume_is_noise_without_labels(plain, seed):
    made = make_volume(VolumeRecipe(**SMALL, arrangements={EMPTY: 1.0}), plain, np.random.default_rng(seed))
    assert not made.labels.any()
    assert made.image.std() > 0


def test_some_volumes_are_empty_by_default():
    weights = VolumeRecipe().arrangements
    assert 0 < weights[EMPTY] < min(weights[kind] for kind in WITH_NUCLEI)


def test_a_seed_gives_one_volume(plain):
    first, second, other = (make_volume(VolumeRecipe(**SMALL), plain, np.random.default_rng(n)) for n in (1, 1, 2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not np.array_equal(first.labels, other.labels)


def stretched(plain, level):
    """How many times as long along z as wide the labels of many volumes are."""
    found = []
    for seed in range(6):
        recipe = VolumeRecipe((24, 64, 64), (12, 16), (1.5, 2.5), level, {"sparse": 1.0})
        made = make_volume(recipe, plain, np.random.default_rng(seed))
        for region in regionprops(made.labels):
            low, high = np.array(region.bbox[:3]), np.array(region.bbox[3:])
            if (low > 0).all() and (high < made.labels.shape).all() and region.area > 60:
                found.append((high - low)[0] * made.size.z_step_px / (high - low)[1:].mean())
    return float(np.median(found))


def test_labels_as_people_see_them_are_longer_along_z_than_the_nuclei_are(plain):
    assert stretched(plain, 0.0) == pytest.approx(1.05, abs=0.15)
    assert stretched(plain, 0.15) > 1.05 * stretched(plain, 0.0)


def test_objects_of_which_too_little_is_left_are_none():
    labels = np.zeros((4, 20, 20), np.int32)
    labels[1:3, 2:8, 2:8] = 2
    labels[0, 15, 15] = 2  # a stray piece
    labels[1, 12, 2:8] = 5  # six of a hundred voxels
    labels[2:4, 12:18, 2:8] = 7
    kept = whole_objects(labels, [0, 0, 72, 0, 0, 100, 0, 72])
    assert np.unique(kept).tolist() == [0, 1, 2]
    assert (kept == 1).sum() == 72
    assert (kept == 2).sum() == 72


@pytest.mark.parametrize("kind", WITH_NUCLEI)
@pytest.mark.parametrize("radius", [4.0, 30.0])
def test_nuclei_are_some_and_not_too_many(kind, radius):
    placed = place(kind, np.array([80.0, 100.0, 120.0]), radius, np.random.default_rng(3))
    assert 1 <= len(placed.centers) <= MOST_NUCLEI
    assert placed.normals.shape == placed.centers.shape
    assert np.isfinite(placed.centers).all()
    assert set(np.linalg.norm(placed.normals, axis=1).round(6)) <= {0.0, 1.0}


def test_photons_have_the_noise_of_photons():
    noisy = [recorded(np.full((8, 64, 64), 1, np.float32), np.random.default_rng(seed)) for seed in range(12)]
    assert {each.dtype.name for each in noisy} == {"uint8", "uint16"}
    assert all(each.std() > 0 for each in noisy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (2, 48, 48)}, "at least"),
        ({"diameters_px": (20, 10)}, "the smaller first"),
        ({"diameters_px": (float("nan"), 10)}, "the smaller first"),
        ({"z_steps_px": (0, 2)}, "from 0.2 on"),
        ({"outline_level": 1.0}, "from 0 to below 1"),
        ({"arrangements": {"heap": 1.0}}, "Arrangements are sparse"),
        ({"arrangements": {"sparse": 0.0}}, "Arrangements are sparse"),
    ],
)
def test_recipes_that_mean_nothing_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        VolumeRecipe(**{**SMALL, **change})
