import numpy as np
import pytest

from cpunet.training.volumes.synthetic.optics import haze, light_of_planes, point_spread, uneven_light


def test_the_point_spread_is_that_of_zhang_and_others():
    lateral, axial = point_spread(0.52, 1.2, 1.33, confocal=False)
    assert lateral == pytest.approx(0.2251 * 0.52 / 1.2, rel=1e-3)
    assert axial == pytest.approx(0.7797 * 1.33 * 0.52 / 1.2**2, rel=1e-3)
    narrower = point_spread(0.52, 1.2, 1.33, confocal=True)
    assert narrower[0] / lateral == pytest.approx(narrower[1] / axial) == pytest.approx(0.669, abs=1e-3)


def test_haze_keeps_the_light_of_the_middle_and_spreads_it():
    volume = np.zeros((30, 64, 64), np.float32)
    volume[12:18, 24:40, 24:40] = 1
    spread = haze(volume, sigma_px=6, z_step_px=2)
    assert spread.shape == volume.shape
    assert spread.sum() == pytest.approx(volume.sum(), rel=0.1)
    assert spread.max() < 0.7
    assert spread[8, 32, 32] > 0.01


def test_planes_lose_light_and_places_too():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        light = light_of_planes(40, 2.0, 20.0, rng)
        assert light.shape == (40,)
        assert 0 < light.min() <= light.max() < 1.3
        plane = uneven_light((32, 48), 0.4, rng)
        assert (plane.max(), plane.min()) == pytest.approx((1, 0.6), abs=0.02)
