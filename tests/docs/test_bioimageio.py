"""The commands of docs/bioimageio.md run."""

import json
import re
import shlex
from pathlib import Path

import onnx

from cpunet.__main__ import main
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import read_card
from tests.export.bioimageio_packages import ROOT, no_network, theirs  # noqa: F401


def test_the_commands_of_the_document_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    theirs(tmp_path / "theirs.zip", channels=2)
    text = (ROOT / "docs" / "bioimageio.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    cpunet (.+)$", text, re.M)
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)) == 0, capsys.readouterr().err
    assert json.loads(onnx_metadata("imported/model.onnx")[METADATA_KEY])["name"] == "nuclei_fluorescence"
    assert read_card(Path("theirs.onnx")).output.roles == ("foreground", "boundary")


def onnx_metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
