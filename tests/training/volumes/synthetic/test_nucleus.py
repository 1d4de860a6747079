import numpy as np
import pytest

from cpunet.training.volumes.synthetic.nucleus import Nucleus, draw_nuclei_at, drawn, with_contacts
from cpunet.training.volumes.synthetic.optics import PointSpread

SHARP = PointSpread(lateral=0.01, axial=0.01)
ALONG = np.eye(3)


def smooth(center, radii):
    return Nucleus(np.array(center, float), np.array(radii, float), ALONG, contrast=0.0, roughness=0.0)


def half(volume, axis):
    """How many voxels along an axis what is brighter than half of the brightest takes."""
    others = tuple(number for number in range(3) if number != axis)
    return int((volume > volume.max() / 2).any(axis=others).sum())


@pytest.mark.parametrize("z_step", [1.0, 2.5])
def test_an_ellipsoid_has_its_volume_and_its_place(plain, z_step):
    nucleus = smooth((30, 20, 25), (9, 7, 11))
    one = drawn(nucleus, SHARP, z_step, plain, blurred_shape=False, rng=np.random.default_rng(1))
    assert one.shape.sum() * z_step == pytest.approx(4 / 3 * np.pi * 9 * 7 * 11, rel=0.03)
    center = np.array([(one.shape * place).sum() / one.shape.sum() for place in np.indices(one.shape.shape)])
    assert (center + one.start) * [z_step, 1, 1] == pytest.approx([30, 20, 25], abs=0.1)
    assert one.light.max() == pytest.approx(1, abs=0.01)


def test_blur_lengthens_a_nucleus_along_z_alone_where_it_is_axial(plain):
    nucleus = smooth((30, 20, 20), (6, 6, 6))
    rng = np.random.default_rng(1)
    sharp = drawn(nucleus, SHARP, 1.0, plain, True, rng)
    blurred = drawn(nucleus, PointSpread(lateral=0.5, axial=6.0), 1.0, plain, True, rng)
    assert half(blurred.shape, 0) > 1.3 * half(sharp.shape, 0)
    assert abs(half(blurred.shape, 1) - half(sharp.shape, 1)) <= 2
    assert blurred.light.sum() == pytest.approx(sharp.light.sum(), rel=0.02)
    assert blurred.shape.max() == pytest.approx(1)


def test_coarse_planes_are_planes_of_the_fine_volume(plain):
    nucleus = smooth((24, 12, 12), (8, 8, 8))
    spread = PointSpread(lateral=1.0, axial=4.0)
    fine = drawn(nucleus, spread, 2.0, plain, True, np.random.default_rng(1))
    coarse = drawn(nucleus, spread, 6.0, plain, True, np.random.default_rng(1))
    for plane in range(2, 6):
        of_fine = fine.light[3 * plane - fine.start[0]]
        of_coarse = coarse.light[plane - coarse.start[0]]
        np.testing.assert_allclose(of_coarse, of_fine, atol=2e-3)


def test_nuclei_that_press_against_each_other_do_not_overlap(plain):
    pair = with_contacts([smooth((20, 20, 20), (8, 8, 8)), smooth((20, 20, 30), (8, 8, 8))])
    total = np.zeros((48, 48, 56))
    for nucleus in pair:
        one = drawn(nucleus, SHARP, 1.0, plain, False, np.random.default_rng(1))
        total[tuple(slice(s, s + n) for s, n in zip(one.start, one.shape.shape, strict=True))] += one.shape
    # A voxel at the face is half of one and half of the other.
    assert total.max() <= 1.01
    apart = with_contacts([smooth((20, 20, 20), (8, 8, 8)), smooth((20, 20, 45), (8, 8, 8))])
    assert [nucleus.contacts for nucleus in apart] == [(), ()]
    assert with_contacts([]) == []


def test_what_lies_at_a_place_is_of_the_size_that_is_wanted():
    rng = np.random.default_rng(5)
    drawings = [draw_nuclei_at(np.zeros(3), np.zeros(3), 10.0, rng) for _ in range(300)]
    assert {len(each) for each in drawings} == {1, 2}  # two in anaphase
    sizes = np.array([np.cbrt(np.prod(each[0].radii)) for each in drawings])
    assert np.median(sizes) == pytest.approx(10, rel=0.05)
    assert (sizes < 7).any()
    flat = [draw_nuclei_at(np.zeros(3), np.array([0.0, 1.0, 0.0]), 10.0, rng)[0] for _ in range(100)]
    reach = np.array([[nucleus.reach(axis) for axis in ALONG] for nucleus in flat])
    assert np.median(reach[:, 1] / reach[:, 0]) < 0.85
