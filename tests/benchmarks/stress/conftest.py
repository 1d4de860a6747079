"""A field of nuclei as a camera of 12 bits gives it."""

import pytest

from benchmarks.stress.small import small_images


@pytest.fixture(scope="session")
def nuclei():
    """The pairs that touch."""
    truth = small_images()[1]
    truth.image.setflags(write=False)
    truth.labels.setflags(write=False)
    return truth
