import pytest

from cpunet.export.bioimageio import package as bioimageio_package
from cpunet.export.bioimageio.package import write_bioimageio
from tests.export.bioimageio_packages import ROOT, SHIPPED, no_network  # noqa: F401


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Packages of the shipped models, not yet tested by bioimageio.core."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bioimageio_package, "check_package", lambda path: None)
        for name in SHIPPED:
            write_bioimageio(ROOT / "models" / name / "model.onnx", folder / f"{name}.zip")
    return folder
