from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.first_image import first_images, memory_of
from cpunet.model.find import DEFAULT_MODEL

MIB = 2**20


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the memory is read from Linux' /proc")
def test_memory_that_is_given_back_counts_at_its_highest():
    found = memory_of(lambda: np.ones(80 * MIB, np.uint8).sum())
    if found is None:
        pytest.skip("this system does not let a process reset its highest value")
    assert 79 <= found["image"] <= 120
    assert found["at most"] == pytest.approx(found["before"] + found["image"])


def test_the_steps_of_a_start_are_timed_one_by_one():
    found = first_images(DEFAULT_MODEL, side=64)
    assert list(found) == ["import packages", "open the model", "first image", "second image"]
    assert min(found.values()) >= 0
