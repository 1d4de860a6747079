"""The module holds no more memory after many image sets than after a few."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import REPOSITORY

# In a process of its own: what other tests have left behind is freed, or not, at any time.
PROGRAM = """
import sys
sys.path[:0] = [{repository!r} + "/plugins", {repository!r}]
from benchmarks.memory_flat import memory_by_image_set
from benchmarks.run_module import objects_unet
module, kept = objects_unet(), []
run = module.run
{change}
noted = memory_by_image_set(module, (400, 400), 40)


def least(numbers):
    # It goes up and down by a buffer of 2.4 MB, of whichever thread took it.
    return min(noted[number].now for number in numbers)


print("GREW", least(range(31, 41)) - least(range(6, 16)))
"""
LEAK = "module.run = lambda workspace: (run(workspace), kept.append(workspace))"
# A workspace holds two megabytes of image and labels: 25 of them, kept, are too much. What is held otherwise rises
# once, by up to 6 MB, where the network is opened again for another number of threads, and then stays.
TOLERANCE = 8_000_000


def grown(change=""):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.format(repository=str(REPOSITORY), change=change)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rsplit("GREW", 1)[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory is read from Linux' /proc")
def test_memory_is_flat_after_the_tenth_image_set():
    assert grown() < TOLERANCE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory is read from Linux' /proc")
def test_image_sets_that_were_kept_would_be_noticed():
    assert grown(LEAK) > TOLERANCE
