"""docs/mask-rcnn.md names each option of the code, and its commands are run on drawn images with a step of training."""

import re
import shutil
from dataclasses import fields

import pytest
import yaml

from cpunet.__main__ import main
from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTION
from tests.docs.pages import commands_of, text_of
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "mask-rcnn.md"
# They mean what they mean for a U-Net.
OF_EVERY_TRAINING = (REPOSITORY / "docs" / "training.md", ("detector", "gradient_norm", "start_from", "start_licence"))


def options_of(path):
    rows = [line.split("|")[1:-1] for line in text_of(path).splitlines() if line.startswith("|")]
    return " ".join(cell for row in rows for cell in re.findall(r"`[^`]*`", row[0] + row[1] + row[-1]))


def test_every_field_stands_in_a_table():
    pytest.importorskip("lightning")
    from cpunet.training.detection.config import BACKBONES, NORMALIZATION_LAYERS, DetectionConfig, Detector

    own, (reference, only_here) = options_of(PAGE), OF_EVERY_TRAINING
    names = [each.name for each in fields(Detector)]
    names += [each for each in only_here if each != "detector"] + [*BACKBONES, *NORMALIZATION_LAYERS]
    assert not [name for name in names if not re.search(rf"\b{name}\b", own)]
    others = {each.name for each in fields(DetectionConfig)} - {*only_here}
    assert not [name for name in others if not re.search(rf"\b{name}\b", options_of(reference))]


def test_the_defaults_of_the_table_are_those_of_the_code():
    pytest.importorskip("lightning")
    from cpunet.training.detection.config import DetectionConfig, Detector

    detector = Detector()
    for name, value in re.findall(r"`(\w+): ([^`]+)`", " ".join(re.findall(r"^\| (`.*?`) \|", text_of(PAGE), re.M))):
        given = yaml.safe_load(value)
        known = getattr(detector, name, None)
        if known is None:
            (known,) = [each.default for each in fields(DetectionConfig) if each.name == name]
        assert given == (list(known) if isinstance(known, tuple) else known), name


def test_the_commands_lead_from_images_to_objects(data_root, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)
    import torch

    from cpunet.training.config import config_from_dict
    from cpunet.training.detection.config import DetectionConfig
    from cpunet.training.detection.network import build_detector

    monkeypatch.chdir(tmp_path)
    shutil.copytree(data_root / "drawn", tmp_path / "data" / "my_cells")
    (content,) = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text_of(PAGE), flags=re.S)]
    config_from_dict(content, DetectionConfig)
    quick = {**SMALL_DETECTION, **content, "detector": SMALL_DETECTION["detector"], "patch_size": 64, "batch_size": 2}
    (tmp_path / "boxes.yaml").write_text(yaml.safe_dump({**quick, "steps": 1, "validate_every": 1}))
    page = [command[1:] for command in commands_of(PAGE, "cpunet")]
    assert [command[0] for command in page] == ["train-detection", "export", "verify", "segment", "train-detection"]
    train, export, verify, segment, further = page
    network = build_detector(config_from_dict(quick, DetectionConfig).detector)
    torch.save(network.state_dict(), further[further.index("--from") + 1])
    # Of a network that learned nothing, tiles agree with nothing: it is not verified.
    monkeypatch.setattr(
        "cpunet.export.detection.export_detector.put_verified", lambda path, content, _: put_down(path, content)
    )
    for command in (train, export, segment, further):
        assert main(command) == 0, f"{' '.join(command)}\n{capsys.readouterr().err}"
    assert verify == ["verify", "models/boxes/model.onnx"]
    assert (tmp_path / "runs/boxes_coco/weights.safetensors").is_file()


def put_down(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
