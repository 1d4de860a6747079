import signal
import sys

import pytest

from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import tiny_onnx


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive():
    """Let Ctrl-C arrive, also where the tests run in the background of a shell, which tells them to ignore it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory):
    """A folder in which nobody has put a model."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def no_models_of_a_developer(monkeypatch, empty_home):
    """Hide the models folder of the developer, so that tests list the same models on every machine."""
    monkeypatch.delenv("CPUNET_MODELS", raising=False)
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(empty_home))
    if sys.platform == "darwin":  # whose data folder is always below the home folder
        monkeypatch.setenv("HOME", str(empty_home))


@pytest.fixture(autouse=True)
def trusted_models(monkeypatch):
    """Open models without a trial in a process of its own, which costs a second each; tests of the trial undo this."""
    monkeypatch.setattr("cpunet.model.session.is_trusted", lambda sha256: True)


@pytest.fixture
def tiny_model(tmp_path):
    """The path of a model that calls bright pixels foreground."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    return path


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """A folder with one small data set, `drawn`."""
    root = tmp_path_factory.mktemp("data")
    write_data_set(root / "drawn", ["train"] * 6 + ["val"] * 3)
    return root


@pytest.fixture
def example_fly():
    """The folder of the ExampleFly pipeline inside the cellprofiler package."""
    from benchmarks.pipeline_text import example_folder

    return example_folder()
