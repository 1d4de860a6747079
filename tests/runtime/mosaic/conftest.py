import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model

FIELD = synthetic_field((420, 530), columns=12, diameter_px=24)


@pytest.fixture(scope="session")
def field():
    """A field of drawn nuclei, uint16, many of which lie across the seams of tiles and bands."""
    return (FIELD.image * 4095).astype(np.uint16)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


@pytest.fixture
def thin_bands(monkeypatch):
    """Bands of 40 rows: thicker than no object."""
    monkeypatch.setattr("cpunet.mosaic.disk_array.BAND_PX", 530 * 20)
