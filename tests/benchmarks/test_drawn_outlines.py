import numpy as np
import pytest
from scipy import ndimage

from benchmarks.drawn_outlines import main, outlines_of, summary
from tests.labeled_volumes import write_volumes


def blurred_ball(level):
    """A ball of 16 pixels across, longer along z by blur, labeled to a share of its largest brightness."""
    z, y, x = np.indices((40, 40, 40)) - 20
    light = ndimage.gaussian_filter((z**2 + y**2 + x**2 < 64).astype(np.float32), (6, 1, 1))
    return 100 + 1000 * light, (light > level * light.max()).astype(np.int32)


def test_the_level_and_the_length_of_outlines_are_found():
    low, high = (outlines_of(*blurred_ball(level), 1.0)[0] for level in (0.2, 0.6))
    assert low.stretched > high.stretched > 1
    assert (low.along, high.along) == pytest.approx((0.25, 0.65), abs=0.06)
    assert low.within < high.within
    assert outlines_of(*blurred_ball(0.2), 2.0)[0].stretched == pytest.approx(2 * low.stretched)
    assert "1 nuclei" in summary([low])


def test_it_runs_on_a_data_set(tmp_path, capsys):
    write_volumes(tmp_path / "drawn", [{"id": "a", "split": "train"}], shape=(16, 30, 32))
    main([str(tmp_path / "drawn"), "--z-step", "1"])
    assert "length along z over width" in capsys.readouterr().out
