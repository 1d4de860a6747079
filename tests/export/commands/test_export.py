import pytest

from cpunet.__main__ import main
from tests.export.bioimageio_packages import files_of, no_network  # noqa: F401


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.onnx"], "give --bioimageio"),
        (["model.onnx", "--bioimageio", "a.zip", "-o", "b.onnx"], "without -o"),
        (["weights.safetensors", "--bioimageio", "a.zip"], "with -o"),
        (["model.onnx", "--bioimageio", "a.tar"], "must end in .zip"),
    ],
)
def test_export_says_which_argument_is_missing(words, message, capsys):
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err


def test_weights_are_exported_and_packed_at_once(weights, tmp_path):
    output, package = tmp_path / "out" / "model.onnx", tmp_path / "out" / "package.zip"
    assert main(["export", str(weights), "-o", str(output), "--bioimageio", str(package)]) == 0
    assert files_of(package)["model.onnx"] == output.read_bytes()
    assert main(["import-bioimageio", str(package), "-o", str(tmp_path / "back.onnx")]) == 0
    assert (tmp_path / "back.onnx").read_bytes() == output.read_bytes()
