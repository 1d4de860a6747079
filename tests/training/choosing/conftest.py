import pytest

from cpunet.model.session import load_model
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx

# One model draws objects too small, the other merges and draws them too large: neither is best everywhere.
MODELS = {"narrow": 0.85, "wide": 0.15}


@pytest.fixture(scope="session")
def touching(tmp_path_factory):
    """A data set of drawn nuclei, half of whose images have nuclei that touch."""
    folder = tmp_path_factory.mktemp("touching") / "drawn"
    write_data_set(folder, ["val"] * 8)
    return folder


@pytest.fixture(scope="session")
def model_paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, threshold in MODELS.items():
        card = changed_card(
            name=name, postprocessing={"foreground_threshold": threshold, "marker_threshold": threshold}
        )
        (folder / f"{name}.onnx").write_bytes(tiny_onnx(card))
    return [folder / f"{name}.onnx" for name in MODELS]


@pytest.fixture
def models(model_paths):
    return [load_model(path) for path in model_paths]
