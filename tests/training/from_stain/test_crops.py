import numpy as np
import pytest

from cpunet.errors import OptionError
from cpunet.training.from_stain.crops import Crops, crop_windows


@pytest.mark.parametrize(
    ("shape", "crops", "count"),
    [
        ((1040, 1408), Crops(512), 4),
        ((1028, 1396), Crops(512), 4),  # what is left after a shift of 12 px
        ((1040, 1408), Crops(512, 3), 3),
        ((1023, 1408), Crops(512), 2),
        ((300, 1408), Crops(512), 2),
        ((300, 400), Crops(512), 1),
        ((300, 400), Crops(), 1),
    ],
)
def test_crops_do_not_overlap_and_stay_in_the_field(shape, crops, count):
    windows = crop_windows(shape, crops)
    assert len(windows) == count
    covered = np.zeros(shape, int)
    for window in windows:
        assert covered[window].shape == tuple(min(size, crops.side_px or size) for size in shape)
        covered[window] += 1
    assert covered.max() == 1


@pytest.mark.parametrize("wrong", [{"side_px": 10}, {"side_px": -1}, {"most": 0}])
def test_crops_that_cannot_be_are_refused(wrong):
    with pytest.raises(OptionError):
        Crops(**wrong)
