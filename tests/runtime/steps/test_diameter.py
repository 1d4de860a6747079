import numpy as np
import pytest

from cpunet.steps.diameter import area_of_disc, typical_diameter, volume_of_sphere


def discs(diameters):
    """Labels of discs in a row."""
    rows = []
    for number, diameter in enumerate(diameters, start=1):
        y, x = np.mgrid[:40, : diameter + 4] + 0.5
        rows.append(np.where(np.hypot(y - 20, x - diameter / 2 - 2) < diameter / 2, number, 0))
    return np.concatenate(rows, axis=1).astype(np.int32)


def test_the_typical_diameter_is_the_area_weighted_median():
    assert typical_diameter(discs([30])) == pytest.approx(30, rel=0.03)
    assert typical_diameter(discs([10, 20, 30])) == pytest.approx(30, rel=0.03)
    assert typical_diameter(discs([20, 21, 22, 23, 24])) == pytest.approx(22, rel=0.03)
    # fragments outnumber the nuclei, and hardly count
    assert typical_diameter(discs([4] * 12 + [28, 30, 32])) == pytest.approx(30, rel=0.03)


def test_the_area_of_a_disc_and_the_volume_of_a_sphere():
    assert area_of_disc(2) == pytest.approx(np.pi)
    assert volume_of_sphere(2) == pytest.approx(4 / 3 * np.pi)
    assert typical_diameter(np.ones((1, 1), np.int32)) == pytest.approx(2 / np.sqrt(np.pi))
