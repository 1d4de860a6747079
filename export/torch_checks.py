"""What `cpunet verify` checks only where the training packages are: torch, the card's schema, scores on real images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cpunet.checks.verify import CheckResult, Reference
from cpunet.errors import DataError, ModelError, ScoreError, WeightsError
from cpunet.export.card.file import card_content
from cpunet.export.card.schema import check_against_schema
from cpunet.export.set_scores import image_sets, score_sets
from cpunet.export.to_onnx import predict_with
from cpunet.export.volumes.sets import score_volume_sets, volume_sets
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_metadata
from cpunet.training.data.data_sets import data_root
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.network.unet import Probabilities
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.weights import load_trained_volumes
from cpunet.training.weights import WEIGHTS_FILE, holds_detector, holds_volumes, load_trained, load_training

# Other processors and other releases of onnxruntime round differently, and an object more or less is worth this much.
SCORE_TOLERANCE = 0.005


def torch_reference(path: Path) -> Reference | None:
    """Return torch's computation of the weights beside a model file, or None if there are none."""
    weights = path.with_name(WEIGHTS_FILE)
    if not weights.is_file():
        return None
    if holds_detector(weights):
        return _detector_reference(weights)
    trained = load_trained_volumes(weights) if holds_volumes(weights) else load_trained(weights)
    config = trained.config
    network = Probabilities(trained.network, config.targets.activation, config.loss.sharpening).eval()
    return Reference("torch", predict_with(network))


def _detector_reference(weights: Path) -> Reference | None:
    """Return torch's computation of Mask R-CNN; None where there is no torchvision."""
    try:
        from cpunet.training.detection.validation import TorchDetector, detector_card
        from cpunet.training.detection.weights import load_detector
    except ImportError:
        return None
    trained = load_detector(weights)
    return Reference("torch", TorchDetector(trained.network, detector_card(trained.config)).find_instances)


def further_checks(path: Path, data: Sequence[Path] | None) -> Iterator[CheckResult]:
    """Compare a verified file's card with its schema and, if there are images, its scores with scores measured now."""
    try:
        check_against_schema(card_content(path, read_metadata(path)))
        yield CheckResult("schema", True, "the card follows model_card.schema.json")
        if data is not None:
            yield CheckResult("scores", True, _checked_scores(path, data))
    except ModelError as error:
        yield CheckResult("schema", False, str(error))
    except (ScoreError, WeightsError, DataError) as error:
        yield CheckResult("scores", False, str(error))


def _checked_scores(path: Path, data: Sequence[Path]) -> str:
    weights = path.with_name(WEIGHTS_FILE)
    if not weights.is_file():
        raise ScoreError(
            f"{weights} is not there: it says on which images the model was validated. Put it beside the model."
        )
    trained = load_training(weights)
    root = data_root(data, [source.folder for source in trained.config.data])
    model = load_model(path, device="cpu")
    if isinstance(trained.config, VolumeConfig):
        scored = score_volume_sets(model, volume_sets(trained, root, "val"))
    else:
        by_set = score_sets(model, image_sets(trained, root, "val"))
        scored = {name: scores_for_card(scores) for name, scores in by_set.items()}
    texts = []
    for name, scores in scored.items():
        found, promised = scores["mean_f1"], model.card.scores.get(name, {}).get("mean_f1")
        if promised is None:
            raise ScoreError(f"{path}: its card has no score for {name}. Export it with --data.")
        if found < promised - SCORE_TOLERANCE:
            raise ScoreError(f"{path}: mean F1 on {name} val is {found:.4f}, and its card promises {promised:.4f}.")
        texts.append(f"{name} val mean F1 {found:.4f} (card {promised:.4f})")
    return ", ".join(texts)
