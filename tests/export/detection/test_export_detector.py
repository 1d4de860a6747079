import pytest
import torch
import yaml
from skimage.io import imread

from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTION, SMALL_DETECTOR
from tests.synthetic_data_set import write_data_set

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from cpunet.__main__ import main
from cpunet.export.detection.export_detector import card_of_detector
from cpunet.model.card import INSTANCES
from cpunet.model.session import load_model
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.detection.validation import detector_card
from cpunet.training.detection.weights import load_detector, save_detector

# Enough for a small network to find drawn nuclei.
LEARNS = {
    **SMALL_DETECTION,
    "detector": {**SMALL_DETECTOR, "proposals": 300, "proposals_before_suppression": 200, "max_objects": 100},
    "steps": 120,
    "validate_every": 120,
    "learning_rate": 0.002,
    "batch_size": 2,
    "augmentation": {"preset": "gentle", "scale_low": 1, "scale_high": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained and exported model of drawn nuclei, with its data and its configuration."""
    made = tmp_path_factory.mktemp("detector")
    write_data_set(made / "data" / "drawn", ["train"] * 12 + ["val"] * 2)
    (made / "boxes.yaml").write_text(yaml.safe_dump(LEARNS))
    assert (
        main(["train-detection", str(made / "boxes.yaml"), "--data", str(made / "data"), "--run", str(made / "run")])
        == 0
    )
    words = ["export", str(made / "run/weights.safetensors"), "-o", str(made / "model/model.onnx")]
    assert main([*words, "--data", str(made / "data"), "--command", "cpunet train-detection boxes.yaml"]) == 0
    return made


def test_the_exported_file_finds_the_nuclei_and_says_what_it_is(folder):
    model = load_model(folder / "model/model.onnx", device="cpu")
    card = model.card
    assert (card.output.kind, card.output.roles) == (INSTANCES, ("foreground",))
    assert card.postprocessing.max_objects == 100
    assert card.provenance["data"][0]["images"] == 12
    assert card.provenance["command"] == "cpunet train-detection boxes.yaml"
    scores = []
    for name in ("f12", "f13"):
        image, truth = (imread(folder / f"data/drawn/{sub}/{name}.png") for sub in ("images", "labels"))
        scores.append(score_image(truth, segment_image(image, model).labels))
    pooled = pool_scores(scores)
    assert pooled.f1[0.5] > 0.6
    assert card.scores["drawn"]["f1_at_0.5"] == pytest.approx(pooled.f1[0.5], abs=1e-3)


def test_the_model_passes_verify_with_torch_beside_it(folder, capsys):
    assert main(["verify", str(folder / "model/model.onnx"), "--data", str(folder / "data")]) == 0
    assert "torch" in capsys.readouterr().out


def test_its_readme_says_what_comes_out(folder):
    text = (folder / "model/README.md").read_text(encoding="utf-8")
    assert "at most 100 objects of a tile, each with a box, a score and a mask" in text
    assert "scores of 0." in text


def test_the_command_line_segments_with_it(folder, tmp_path):
    image = folder / "data/drawn/images/f12.png"
    assert main(["segment", str(image), "--model", str(folder / "model/model.onnx"), "-o", str(tmp_path)]) == 0
    (labels,) = tmp_path.rglob("*_labels.*")
    assert imread(labels).max() >= 4


def test_weights_of_another_training_are_not_replaced(folder, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    words = ["export", str(folder / "run/weights.safetensors"), "-o", str(path)]
    assert main(words) == 0
    trained = load_detector(tmp_path / "weights.safetensors")
    with torch.no_grad():
        trained.network.backbone.body.conv1.weight += 1
    save_detector(tmp_path / "weights.safetensors", trained)
    before = path.read_bytes()
    assert main(words) == 2
    assert "holds the weights of another training" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main([*words, "--overwrite"]) == 0


def test_what_mask_r_cnn_cannot_be_exported_to_is_refused(folder, capsys):
    words = ["export", str(folder / "run/weights.safetensors"), "-o", str(folder / "other/model.onnx")]
    assert main([*words, "--bioimageio", str(folder / "package.zip")]) == 2
    assert "Leave out --card and --bioimageio" in capsys.readouterr().err
    assert main([*words, "--precision", "int8", "--data", str(folder / "data")]) == 2
    assert "holds Mask R-CNN" in capsys.readouterr().err
    assert not (folder / "other").exists()


def test_the_halo_holds_the_longest_objects(folder):
    trained = load_detector(folder / "run/weights.safetensors")
    trained.facts.update(diameter_px=200.0, diameter_low_px=100.0, diameter_high_px=300.0)
    card = card_of_detector(trained, "")
    assert card.output.halo >= 1.5 * card.input.diameter_high_px / 2 > detector_card(trained.config).output.halo
