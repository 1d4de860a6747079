import numpy as np
import pytest
import tifffile

from cpunet.checks.synthetic import synthetic_field
from tests.tiny_onnx import tiny_onnx

FIELD = synthetic_field((120, 150), columns=4, diameter_px=20)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(str(folder / f"{name}.tif"), (FIELD.image * 4095).astype(np.uint16))
    return folder


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    (tmp_path / "models" / "nuclei_fluorescence").mkdir(parents=True)
    (tmp_path / "models" / "nuclei_fluorescence" / "model.onnx").write_bytes(tiny_onnx())
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
